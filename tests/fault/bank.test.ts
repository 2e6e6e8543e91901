// The whole of a real file (TOUCHPOINT_BANK_CSV, or where it usually lies), imported, killed in
// the middle, and imported again; where it is not at hand, a large one of the same shape.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stores } from '../kit/stores.ts';
import { check, finish, killAfterRows, query, rowsDone, start, TIMEOUT, wholeSource, withSite } from './imports.ts';

// Both at once: the time goes by on the stores, and it is the longest of all tests.
describe('the whole file, killed in the middle', { concurrency: true }, () => {
    for (const store of stores) test(`on ${store}`, TIMEOUT, () =>
        withSite(store, async (site) => {
            const source = wholeSource();
            await killAfterRows(site, start(site, source.path), Math.floor(source.rows / 2));
            const done = await rowsDone(site);
            assert.ok(done > 0 && done < source.rows, `${done} rows were done`);
            const { stdout } = await finish(site, source.path);
            assert.match(stdout, new RegExp(`^${source.rows} rows: ${source.rows} customers and ${source.rows} interactions made, 0 rows were there, 0 refused\n$`));
            await check(site, source);
            const [first, last] = store === 'sqlite'
                ? ["strftime('%Y-%m-%dT%H:%M:%SZ', min(started_at) / 1000000, 'unixepoch')", "strftime('%Y-%m-%dT%H:%M:%SZ', max(started_at) / 1000000, 'unixepoch')"]
                : ["to_char(min(started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", "to_char(max(started_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"];
            // The year runs on where the months begin anew: May 2008 to the autumn of 2010.
            const range = await query(site, `SELECT ${first}, ${last} FROM interactions;`);
            assert.match(range, /^2008-05-\d\dT12:00:00Z\|2010-1\d-\d\dT12:00:00Z$/);
            await finish(site, source.path); // once more: nothing is new
            await check(site, source);
            source.remove();
        }));
});
