// What the rigs of touchpoint import have in common.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, temporaryDir } from '../kit/places.ts';
import { psql } from '../kit/postgres.ts';
import { Process, sanitizerReport, type Finished } from '../kit/process.ts';
import { Site } from '../kit/server.ts';
import type { Store } from '../kit/stores.ts';
import { sqlite } from './rig.ts';

export const TIMEOUT = { timeout: 240_000 };
const mapping = resolve('mappings/bank-contacts.json');

/** What a file must come to. */
export interface Sums {
    rows: number;
    successful: number;
    seconds: number;
}

export interface Source extends Sums {
    path: string;
    remove(): void;
}

/** The bank's calls, where they are at hand (TOUCHPOINT_BANK_CSV says where else). */
function bankFile(): string | null {
    const path = process.env['TOUCHPOINT_BANK_CSV'] ?? resolve('../shared/data/bank-contacts.csv');
    return existsSync(path) ? path : null;
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** A file of the same shape and with known sums. */
export function invent(rows: number): Source {
    const dir = temporaryDir('csv');
    const path = join(dir, 'calls.csv');
    const sums = { successful: 0, seconds: 0 };
    const header = 'job,marital,education,default,balance,housing,loan,contact,day,month,duration,campaign,pdays,previous,poutcome,y';
    const lines = [header];
    for (let i = 0; i < rows; i++) {
        const duration = (i * 37) % 900;
        const yes = i % 7 === 3;
        const month = months[(4 + Math.floor((i * 30) / rows)) % 12];
        // A cell that stands for two: quotes, a delimiter and a line end inside.
        const job = i % 100 === 50 ? '"self ""made"", or\nretired"' : 'technician';
        lines.push(`${job},married,tertiary,no,${i - 500},yes,no,cellular,${1 + (i % 28)},${month},${duration},1,-1,0,unknown,${yes ? 'yes' : 'no'}`);
        sums.seconds += duration;
        if (yes) sums.successful += 1;
    }
    writeFileSync(path, `${lines.join('\n')}\n`);
    return { path, rows, ...sums, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** As large and whole as it gets: the real file, or one like it. */
export function wholeSource(): Source {
    const path = bankFile();
    if (path === null) return invent(20_000);
    assert.equal(readFileSync(path, 'utf8').trimEnd().split('\n').length, 45_212);
    return { path, rows: 45_211, successful: 5_289, seconds: 11_671_811, remove: () => undefined };
}

export function start(site: Site, path: string): Process {
    const importer = new Process(binary, ['import', '--mapping', mapping, ...site.flags(), path]);
    importer.child.stdin!.end();
    return importer;
}

export async function finish(site: Site, path: string): Promise<Finished> {
    const result = await start(site, path).finished;
    assert.equal(sanitizerReport(result.stderr), null);
    assert.equal(result.code, 0, result.stderr);
    return result;
}

export async function query(site: Site, sql: string): Promise<string> {
    return site.databaseUrl === null ? sqlite(join(site.dataDir, 'touchpoint.db'), sql) : psql(site.databaseUrl, sql);
}

export async function rowsDone(site: Site): Promise<number> {
    return Number(await query(site, 'SELECT coalesce(max(next_row), 1) - 1 FROM imports;'));
}

/** Lets it come so many rows further and into the next portion, and kills it. */
export async function killAfterRows(site: Site, victim: Process, rows: number): Promise<void> {
    const wanted = (await rowsDone(site)) + rows;
    let ended = false;
    void victim.finished.then(() => (ended = true));
    while (!ended && (await rowsDone(site)) < wanted) await sleep(100);
    await sleep(Math.random() * 200);
    victim.kill('SIGKILL');
    await victim.finished;
}

export async function check(site: Site, sums: Sums): Promise<void> {
    const duration =
        site.databaseUrl === null
            ? '(ended_at - started_at) / 1000000'
            : 'CAST(extract(epoch FROM ended_at - started_at) AS bigint)';
    const found = await query(
        site,
        `SELECT (SELECT count(*) FROM customers), (SELECT count(DISTINCT external_id) FROM customers), count(*),
            sum(CASE WHEN outcome = 'successful' THEN 1 ELSE 0 END), sum(${duration}),
            count(DISTINCT external_id), sum(CASE WHEN type = 'call' AND direction = 'outbound' THEN 1 ELSE 0 END)
         FROM interactions;`,
    );
    assert.equal(found, [sums.rows, sums.rows, sums.rows, sums.successful, sums.seconds, sums.rows, sums.rows].join('|'));
    const kept = await query(site, "SELECT name, CAST(sum(n) AS bigint) FROM kept_counts WHERE name IN ('customers:', 'interactions:') GROUP BY name ORDER BY name;");
    assert.equal(kept, `customers:|${sums.rows}\ninteractions:|${sums.rows}`);
    const summaries = await query(site, 'SELECT count(*) FROM customers WHERE contact_count <> 1 OR last_contacted_at IS NULL;');
    assert.equal(summaries, '0');
}

export async function withSite(store: Store, test: (site: Site, key: string) => Promise<void>): Promise<void> {
    const site = await Site.create(store);
    try {
        const { key } = await site.createTenant('Bank', 'admin@bank.example');
        await test(site, key);
    } finally {
        await site.remove();
    }
}
