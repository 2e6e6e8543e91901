// A PostgreSQL of our own: made in a temporary folder, reached by a socket in it only,
// gone at the end. One for a whole run (tests/run starts it and names it in the
// environment); each server under test gets a fresh database in it.
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { postgresBin, temporaryDir } from './places.ts';
import { Process, run, runOk } from './process.ts';

const URL_VARIABLE = 'TOUCHPOINT_TEST_POSTGRES';
const SUPERUSER = 'touchpoint';

export class Cluster {
    private constructor(
        readonly dir: string,
        private readonly process: Process,
    ) {}

    /** For programs: postgresql://… of a database in it. */
    url(database = 'postgres'): string {
        return databaseUrl(this.dir, database);
    }

    static async start(): Promise<Cluster> {
        const dir = temporaryDir('pg');
        const bin = postgresBin();
        // PostgreSQL refuses to run as root; Debian has a nobody of this number.
        const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
        const options = { cwd: dir, env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' }, ...user };
        chmodSync(dir, 0o700);
        if (user.uid !== undefined) chownSync(dir, user.uid, user.gid);
        try {
            // A locale that sorts unlike "C", so that a column that forgot COLLATE "C" shows.
            await runOk(
                join(bin, 'initdb'),
                ['--pgdata', join(dir, 'data'), '--username', SUPERUSER, '--auth', 'trust',
                    '--encoding', 'UTF8', '--locale', 'C.UTF-8',
                    '--locale-provider', 'icu', '--icu-locale', 'en-US'],
                options,
            );
            const server = new Process(
                join(bin, 'postgres'),
                ['-D', join(dir, 'data'), '-c', 'listen_addresses=', '-k', dir,
                    '-c', 'max_connections=300', '-c', 'fsync=on', '-c', 'shared_buffers=64MB',
                    '-c', 'timezone=Asia/Kathmandu', '-c', 'log_min_messages=fatal'],
                options,
            );
            const cluster = new Cluster(dir, server);
            await cluster.ready(bin);
            return cluster;
        } catch (error) {
            rmSync(dir, { recursive: true, force: true });
            throw error;
        }
    }

    private async ready(bin: string): Promise<void> {
        let ended = false;
        void this.process.finished.then(() => (ended = true), () => (ended = true));
        for (const until = Date.now() + 30_000; Date.now() < until; await sleep(50)) {
            if (ended) break;
            const answer = await run(join(bin, 'pg_isready'), ['-q', '-h', this.dir]);
            if (answer.code === 0) return;
        }
        this.process.kill('SIGKILL');
        throw new Error(`PostgreSQL did not start:\n${this.process.stderr}`);
    }

    async stop(): Promise<void> {
        this.process.kill('SIGINT'); // a fast shutdown
        await this.process.finished;
        rmSync(this.dir, { recursive: true, force: true });
    }

    /** What a child process needs in its environment to find this cluster. */
    environment(): Record<string, string> {
        return { [URL_VARIABLE]: this.url() };
    }
}

function databaseUrl(socketDir: string, database: string): string {
    return `postgresql://${SUPERUSER}@/${database}?host=${encodeURIComponent(socketDir)}`;
}

function runUrl(): URL {
    const url = process.env[URL_VARIABLE];
    if (url === undefined) throw new Error(`${URL_VARIABLE} is not set: run this by tests/run`);
    return new URL(url.replace('@/', '@localhost/')); // URL wants a host to parse it
}

/** Runs SQL in a database of the run's cluster; gives the rows as text, columns parted by |. */
export async function psql(url: string, sql: string): Promise<string> {
    const args = ['--no-psqlrc', '-qAt', '-v', 'ON_ERROR_STOP=1', '-d', url];
    const { stdout } = await runOk(join(postgresBin(), 'psql'), args, { input: sql });
    return stdout.trim();
}

/** A transaction by hand: what `sql` changed and locked stays so until `commit`. */
export async function holdOpen(url: string, sql: string): Promise<{ commit: () => Promise<void> }> {
    const session = new Process(join(postgresBin(), 'psql'), ['--no-psqlrc', '-qAt', '-v', 'ON_ERROR_STOP=1', '-d', url]);
    session.child.stdin!.write(`BEGIN;\n${sql};\n\\echo held\n`);
    await session.firstLine(10_000);
    return {
        commit: async () => {
            session.child.stdin!.end('COMMIT;\n');
            const { code, stderr } = await session.finished;
            if (code !== 0) throw new Error(stderr);
        },
    };
}

/** A fresh, empty database in the run's cluster. */
export async function createDatabase(): Promise<string> {
    const name = `t_${randomBytes(8).toString('hex')}`;
    const socketDir = runUrl().searchParams.get('host')!;
    await psql(databaseUrl(socketDir, 'postgres'), `CREATE DATABASE ${name}`);
    return databaseUrl(socketDir, name);
}

export async function dropDatabase(url: string): Promise<void> {
    const name = new URL(url.replace('@/', '@localhost/')).pathname.slice(1);
    const socketDir = runUrl().searchParams.get('host')!;
    await psql(databaseUrl(socketDir, 'postgres'), `DROP DATABASE ${name} WITH (FORCE)`);
}
