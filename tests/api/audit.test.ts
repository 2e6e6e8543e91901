// The audit: checkpoints, and what `touchpoint audit verify` finds, beside a server and without.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../kit/client.ts';
import { addPerson } from '../kit/people.ts';
import { binary, temporaryDir } from '../kit/places.ts';
import { psql } from '../kit/postgres.ts';
import { run, runOk, type Finished } from '../kit/process.ts';
import type { NewTenant } from '../kit/server.ts';
import { forEachStore, useServer, type Running, type Store } from '../kit/stores.ts';

/** SQL behind the server's back; the rows as lines. */
async function sql(running: Running, text: string): Promise<string> {
    if (running.site.databaseUrl !== null) return psql(running.site.databaseUrl, text);
    const file = join(running.site.dataDir, 'touchpoint.db');
    const input = `.timeout 5000\nPRAGMA wal_autocheckpoint = 0;\n${text}\n`;
    const { stdout } = await runOk('sqlite3', ['-batch', '-bail', file], { input });
    return stdout.trim().split('\n').slice(1).join('\n'); // what the PRAGMA says comes first
}

const idOf = (store: Store, id: string) => (store === 'sqlite' ? `X'${id.replaceAll('-', '')}'` : `CAST('${id}' AS uuid)`);

/** All events have their numbers: on PostgreSQL that takes a moment. */
async function sealed(running: Running): Promise<void> {
    while ((await sql(running, 'SELECT count(*) FROM unsealed_events;')) !== '0') await sleep(5);
}

/** Changes something, looks, and puts it back. */
async function whileChanged(running: Running, change: string, restore: string, look: () => Promise<void>): Promise<void> {
    await sql(running, change);
    try {
        await look();
    } finally {
        await sql(running, restore);
    }
}

forEachStore((store) => {
    describe('the audit', () => {
        const running = useServer(store);
        let dir: string;
        let other: NewTenant;
        let checkpointFile: string;
        let tenantId: string;

        before(async () => {
            dir = temporaryDir('audit');
            checkpointFile = join(dir, 'checkpoint.json');
            other = await running.site.createTenant('Other', 'admin@other.example');
            tenantId = idOf(store, running.tenant.tenant.id);
            for (const client of [running.admin, running.server.client(other.key)]) {
                for (let i = 0; i < 4; i++) {
                    const made = await client.post('/customers', { name: `Customer ${i}`, email: `c${i}@people.example` });
                    assert.equal(made.status, 201, made.text);
                    const changed = await client.patch(`/customers/${made.body.id}`, { name: `Änderung ${i}` });
                    assert.equal(changed.status, 200, changed.text);
                }
            }
            await sealed(running);
            const made = await running.site.command('audit', 'checkpoint', '--tenant', 'acme', '--out', checkpointFile);
            assert.equal(made.code, 0, made.stderr);
        });
        after(() => rmSync(dir, { recursive: true, force: true }));

        const verify = (...args: string[]): Promise<Finished> => running.site.command('audit', 'verify', ...args);
        const checkpoint = (): Json => JSON.parse(readFileSync(checkpointFile, 'utf8'));

        const fine = async (...args: string[]): Promise<string> => {
            const { code, stdout, stderr } = await verify(...args);
            assert.equal(code, 0, stdout + stderr);
            return stdout;
        };
        const found = async (says: RegExp, ...args: string[]): Promise<void> => {
            const { code, stdout, stderr } = await verify(...args);
            assert.equal(code, 1, stdout + stderr);
            assert.match(stderr, says);
        };
        /** Number and id of an event in the middle of the chain. */
        const middle = async (): Promise<{ number: number; hex: string; id: string; literal: string }> => {
            const id = store === 'sqlite' ? 'lower(hex(event_id))' : "replace(CAST(event_id AS text), '-', '')";
            const hex = await sql(running, `SELECT ${id} FROM event_seals WHERE tenant_id = ${tenantId} AND number = 5;`);
            const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
            return { number: 5, hex, id: parts.join('-'), literal: idOf(store, parts.join('-')) };
        };

        test('all is fine, of every tenant, while the server runs', async () => {
            const { code, stdout, stderr } = await verify();
            assert.equal(code, 0, stderr);
            assert.match(stdout, /^acme: \d+ events verified$/m);
            assert.match(stdout, /^other: \d+ events verified$/m);
            assert.match(stderr, /^100 % \(\d+ events, \d+ a second\)$/m);
            assert.doesNotMatch(await fine('--tenant', 'acme'), /other/);
        });

        test('a checkpoint is signed, and by anybody to be checked', async () => {
            const answer = await running.admin.get('/audit/checkpoint');
            assert.equal(answer.status, 200, answer.text);
            for (const made of [answer.body, checkpoint()]) {
                assert.equal(made.tenant_id, running.tenant.tenant.id);
                assert.equal(
                    Number(await sql(running, `SELECT number FROM event_chains WHERE tenant_id = ${tenantId};`)),
                    made.number,
                );
                const number = Buffer.alloc(8);
                number.writeBigInt64BE(BigInt(made.number));
                const time = Buffer.alloc(8);
                const fraction = (/\.(\d+)Z$/.exec(made.made_at)?.[1] ?? '').padEnd(6, '0');
                const seconds = Date.parse(made.made_at.replace(/\.\d+Z$/, 'Z'));
                time.writeBigInt64BE(BigInt(seconds) * 1000n + BigInt(fraction));
                const message = Buffer.concat([
                    Buffer.from('touchpoint checkpoint 1'),
                    Buffer.from(made.tenant_id.replaceAll('-', ''), 'hex'),
                    number,
                    Buffer.from(made.hash, 'hex'),
                    time,
                ]);
                // RFC 8410: the key in the envelope that Node reads.
                const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(made.public_key, 'hex')]);
                const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
                assert.ok(verifySignature(null, message, key, Buffer.from(made.signature, 'hex')));
            }
            const stdout = await fine('--checkpoint', checkpointFile);
            const fingerprint = createHash('sha256').update(Buffer.from(checkpoint().public_key, 'hex')).digest('hex').slice(0, 32);
            assert.ok(stdout.includes(`signed by the key ${fingerprint}\n`), stdout);
            assert.match(stdout, /acme: \d+ events verified; the checkpoint at number \d+ holds/);
            assert.doesNotMatch(stdout, /other:/);
        });

        test('who is no admin gets none', async () => {
            const { client } = await addPerson(running.admin, 'manager');
            assert.equal((await client.get('/audit/checkpoint')).status, 403);
            assert.equal((await running.anonymous.get('/audit/checkpoint')).status, 401);
            await sealed(running);
        });

        test('a checkpoint that was changed, another tenant\'s, or none, is told', async () => {
            const file = join(dir, 'wrong.json');
            const cases: [string, RegExp, string[]][] = [
                [JSON.stringify({ ...checkpoint(), number: 2 }), /signature is wrong/, []],
                [JSON.stringify({ ...checkpoint(), hash: '0'.repeat(64) }), /signature is wrong/, []],
                [JSON.stringify({ ...checkpoint(), number: 'two' }), /no checkpoint/, []],
                ['{}', /signature is wrong/, []],
                ['rubbish', /no checkpoint/, []],
                [JSON.stringify(checkpoint()), /another tenant/, ['--tenant', 'other']],
            ];
            for (const [text, says, args] of cases) {
                writeFileSync(file, text);
                await found(says, '--checkpoint', file, ...args);
            }
            await found(/No such file/, '--checkpoint', join(dir, 'missing.json'));
            await found(/no tenant third/, '--tenant', 'third');
            assert.equal((await verify('--chekpoint', file)).code, 2);
            assert.equal((await verify('more')).code, 2);
        });

        test('changes in the file are found, by number and id', async () => {
            const { number, id, literal } = await middle();
            const event = `WHERE tenant_id = ${tenantId} AND id = ${literal}`;
            const seal = `WHERE tenant_id = ${tenantId} AND number = ${number}`;
            const place = new RegExp(`acme: number ${number}: event ${id}: `);
            const kept = (table: string, where: string, change: string): [string, string] => [
                `CREATE TABLE kept AS SELECT * FROM ${table} ${where}; ${change};`,
                `DELETE FROM ${table} ${where}; INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept;`,
            ];
            const changes: [string, [string, string]][] = [
                ['category', kept('contact_events', event, `UPDATE contact_events SET category = 'tracking' ${event}`)],
                ['title', kept('contact_events', event, `UPDATE contact_events SET title = 'Never said' ${event}`)],
                ['occurred_at', kept('contact_events', event, `UPDATE contact_events SET occurred_at = ${store === 'sqlite' ? '1' : "'2020-01-01'"} ${event}`)],
                ['salt', kept('contact_events', event, `UPDATE contact_events SET salt = NULL ${event}`)],
                ['event', kept('contact_events', event, `DELETE FROM contact_events ${event}`)],
                ['hash', kept('event_seals', seal, `UPDATE event_seals SET hash = content_hash ${seal}`)],
                ['expiry', kept('event_seals', seal, `UPDATE event_seals SET expires_at = ${store === 'sqlite' ? '1' : "'2020-01-01'"} ${seal}`)],
                ['seal', kept('event_seals', seal, `DELETE FROM event_seals ${seal}`)],
            ];
            for (const [what, [change, restore]] of changes) {
                await whileChanged(running, change, restore, async () => {
                    await found(place, '--checkpoint', checkpointFile);
                    // It is nobody else's affair, and hides nothing of theirs.
                    const all = await verify();
                    assert.equal(all.code, 1, what);
                    assert.match(all.stderr, place);
                    assert.match(all.stdout, /^other: \d+ events verified$/m);
                    assert.doesNotMatch(all.stdout, /^acme/m);
                    if (what !== 'event') return;
                    await found(place, '--tenant', 'acme');
                    assert.match(await fine('--tenant', 'other'), /^other: /);
                });
            }
            await fine('--checkpoint', checkpointFile);
        });

        test('an event that was slipped in is found', async () => {
            const { literal } = await middle();
            const id = idOf(store, '01990000-0000-7000-8000-000000000001');
            const columns = 'tenant_id, contact_id, subject_type, subject_id, event_type, category, priority, title, payload, source, is_realtime, visible_to_client, visible_to_agent, occurred_at, created_at, salt, timeline_id, delivered, read, expired';
            await whileChanged(
                running,
                `INSERT INTO contact_events (id, ${columns}) SELECT ${id}, ${columns} FROM contact_events WHERE tenant_id = ${tenantId} AND id = ${literal};`,
                `DELETE FROM contact_events WHERE tenant_id = ${tenantId} AND id = ${id};`,
                () => found(/acme: event 01990000-0000-7000-8000-000000000001: .*slipped in/, '--tenant', 'acme'),
            );
            await fine();
        });

        test('marks are no finding', async () => {
            await sql(running, `UPDATE contact_events SET read = NOT read, delivered = NOT delivered WHERE tenant_id = ${tenantId};`);
            await fine('--checkpoint', checkpointFile);
        });

        test('the end cut off shows by the checkpoint, and only by it', async () => {
            const { number } = checkpoint();
            const newest = Number(await sql(running, `SELECT number FROM event_chains WHERE tenant_id = ${tenantId};`));
            const seals = `WHERE tenant_id = ${tenantId} AND number >= ${number}`;
            const events = `WHERE tenant_id = ${tenantId} AND id IN (SELECT event_id FROM event_seals ${seals})`;
            const chain = `WHERE tenant_id = ${tenantId}`;
            await whileChanged(
                running,
                `CREATE TABLE kept AS SELECT * FROM event_seals ${seals};
                 CREATE TABLE kept_events AS SELECT * FROM contact_events ${events};
                 CREATE TABLE kept_chain AS SELECT * FROM event_chains ${chain};
                 DELETE FROM contact_events ${events}; DELETE FROM event_seals ${seals};
                 UPDATE event_chains SET number = ${number - 1}, hash = (SELECT hash FROM event_seals ${chain} AND number = ${number - 1}) ${chain};`,
                `DELETE FROM event_chains ${chain}; INSERT INTO event_chains SELECT * FROM kept_chain;
                 INSERT INTO event_seals SELECT * FROM kept; INSERT INTO contact_events SELECT * FROM kept_events;
                 DROP TABLE kept; DROP TABLE kept_events; DROP TABLE kept_chain;`,
                async () => {
                    assert.match(await fine('--tenant', 'acme'), new RegExp(`^acme: ${number - 1} events verified$`, 'm'));
                    await found(new RegExp(`acme: number ${number}: the chain ends at number ${number - 1}`), '--checkpoint', checkpointFile);
                },
            );
            assert.match(await fine('--checkpoint', checkpointFile), new RegExp(`acme: ${newest} events verified`));
        });

        test('the key is its owner\'s alone, and stays', async () => {
            const key = join(running.site.dataDir, 'audit.key');
            assert.equal(statSync(key).mode & 0o777, 0o600);
            const { public_key: before } = checkpoint();
            await running.server.stop();
            try {
                chmodSync(key, 0o640);
                for (const args of [['serve', '--listen', '127.0.0.1:0'], ['audit', 'checkpoint', '--tenant', 'acme']]) {
                    const refused = await running.site.command(...args);
                    assert.notEqual(refused.code, 0);
                    assert.match(refused.stderr, /audit\.key: others than its owner can open it/);
                }
                chmodSync(key, 0o600);
                // Without a server, too; and with a key of another place.
                const made = await running.site.commandJson('audit', 'checkpoint', '--tenant', 'acme');
                assert.equal(made.public_key, before);
                await fine('--checkpoint', checkpointFile);
                const own = join(dir, 'own.key');
                writeFileSync(own, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
                const signed = await running.site.commandJson('audit', 'checkpoint', '--tenant', 'acme', '--audit-key', own);
                assert.notEqual(signed.public_key, before);
                writeFileSync(own, 'no key\n');
                for (const file of [own, join(dir, 'no.key')]) {
                    const refused = await running.site.command('audit', 'checkpoint', '--tenant', 'acme', '--audit-key', file);
                    assert.equal(refused.code, 1);
                    assert.match(refused.stderr, /\.key: /);
                }
            } finally {
                chmodSync(key, 0o600);
                await running.startServer([]);
            }
            assert.equal((await running.admin.get('/audit/checkpoint')).body.public_key, before);
        });
    });
});

test('a folder without a store is told, and stays without', async () => {
    const dir = temporaryDir('none');
    try {
        const { code, stderr } = await run(binary, ['audit', 'verify', '--data', dir]);
        assert.equal(code, 1);
        assert.match(stderr, /touchpoint\.db cannot be opened/);
        assert.equal(statSync(join(dir, 'touchpoint.db'), { throwIfNoEntry: false }), undefined);
    } finally {
        rmSync(dir, { recursive: true, force: true });
    }
});
