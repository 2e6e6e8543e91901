// touchpoint import, killed half-way: by its own death, and by the server's. What was done
// stays done, nothing is done twice, and the totals are right in the end.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { forEachStore } from '../kit/stores.ts';
import { check, finish, invent, killAfterRows, query, rowsDone, start, TIMEOUT, withSite } from './imports.ts';
import { Victim } from './rig.ts';

forEachStore((store) => {
    test('the importer is killed again and again, without a server', TIMEOUT, () =>
        withSite(store, async (site) => {
            const source = invent(2_000);
            for (let i = 0; i < 3; i++) await killAfterRows(site, start(site, source.path), 1);
            await finish(site, source.path);
            await check(site, source);
            source.remove();
        }));

    test('the importer and the server are killed in turn', TIMEOUT, () =>
        withSite(store, async (site, key) => {
            const source = invent(2_000);
            let server = await Victim.start(site, key, null);
            try {
                for (let i = 0; i < 3; i++) {
                    const importer = start(site, source.path);
                    if (i % 2 === 0) {
                        await killAfterRows(site, importer, 1);
                    } else {
                        await killAfterRows(site, server.process, 1);
                        // On PostgreSQL the importer is a node of its own, and goes on alone.
                        const { code, stderr } = await importer.finished;
                        if (store === 'sqlite') {
                            assert.equal(code, 1);
                            assert.match(stderr, /the server did not answer/);
                        } else {
                            assert.equal(code, 0, stderr);
                        }
                        server = await Victim.start(site, key, null);
                    }
                }
                await finish(site, source.path);
                await check(site, source);
            } finally {
                await server.kill();
                source.remove();
            }
        }));

    test('Ctrl-C stops between two portions, and the next run goes on', TIMEOUT, () =>
        withSite(store, async (site) => {
            const source = invent(2_000);
            const importer = start(site, source.path);
            while ((await rowsDone(site)) < 500) await sleep(20);
            importer.kill('SIGINT');
            const { code, stderr } = await importer.finished;
            assert.equal(code, 1, stderr);
            const stopped = /stopped after row (\d+); the next run goes on from there\n$/.exec(stderr);
            assert.equal(Number(stopped?.[1]), await rowsDone(site), stderr);
            await finish(site, source.path);
            await check(site, source);
            source.remove();
        }));

    test('a line is never longer than a row may be', TIMEOUT, () =>
        withSite(store, async (site) => {
            const source = invent(20);
            const whole = readFileSync(source.path, 'utf8');
            writeFileSync(source.path, 'x,'.repeat(2_000_000)); // no line break at all
            const { code, stderr } = await start(site, source.path).finished;
            assert.equal(code, 1);
            assert.match(stderr, /^touchpoint: line 1 is no header: it is not well-formed CSV, or longer than 1048576 bytes$/m);
            assert.equal(await query(site, 'SELECT count(*) FROM customers;'), '0');

            const lines = whole.split('\n');
            lines[5] = lines[5]!.replace('technician', 'x'.repeat(3_000_000));
            writeFileSync(source.path, lines.join('\n'));
            const refused = await finish(site, source.path);
            assert.match(refused.stdout, /^20 rows: .* 1 refused\n$/);
            assert.match(refused.stderr, /^line 6 \(row 5\): it is longer than 1048576 bytes$/m);
            source.remove();
        }));

    test('refused rows are told with line and reason, and the others are taken', TIMEOUT, () =>
        withSite(store, async (site) => {
            const source = invent(200);
            const lines = readFileSync(source.path, 'utf8').split('\n');
            lines[10] = lines[10]!.replace(/,\d+,1,-1,0/, ',long,1,-1,0'); // row 10: no number
            lines[20] = `${lines[20]},more`; // row 20: a cell too many
            lines[30] = lines[30]!.replace(/,\d+,[a-z]{3},/, ',31,feb,'); // row 30: no such day
            lines[40] = lines[40]!.replace('technician', '"technician'); // row 40: a quote that opens …
            lines[41] = lines[41]!.replace('technician', 'tech"nician'); // … and closes in row 41
            lines[45] = 'x'.repeat(300); // row 44, since row 40 took two lines
            writeFileSync(source.path, lines.join('\n'));
            const { stdout, stderr } = await finish(site, source.path);
            assert.match(stdout, / 5 refused\n$/, stderr);
            const told = stderr.split('\n').filter((line) => line.startsWith('line '));
            assert.deepEqual(told, [
                'line 11 (row 10): duration: is no whole number',
                'line 21 (row 20): it has 17 cells, and the header has 16',
                'line 31 (row 30): day: is no day of that month',
                'line 41 (row 40): it is not well-formed CSV',
                'line 46 (row 44): it has 1 cells, and the header has 16',
            ]);
            const again = await finish(site, source.path);
            assert.equal(again.stderr.split('\n').filter((line) => line.startsWith('line ')).length, 5);
            source.remove();
        }));
});
