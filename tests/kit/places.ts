// Where things are. tests/run says which build is under test.
import { mkdtempSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The build under test; build/ unless tests/run was told otherwise. */
export const buildDir = resolve(process.env['TOUCHPOINT_TEST_BUILD'] ?? 'build');
export const binary = join(buildDir, 'touchpoint');
/** Bundles, and what the tests of one run leave for each other. */
export const outDir = join(buildDir, 'tests');

/** A new folder with a short path: a socket's path must fit into 107 bytes. */
export function temporaryDir(name: string): string {
    return mkdtempSync(`/tmp/tp-${name}-`);
}

/** The folder of the newest PostgreSQL programs that Debian has installed. */
export function postgresBin(): string {
    const root = '/usr/lib/postgresql';
    const versions = readdirSync(root).map(Number).filter((version) => version >= 15);
    if (versions.length === 0) throw new Error(`no PostgreSQL 15 or newer in ${root}`);
    return join(root, String(Math.max(...versions)), 'bin');
}
