// What all lists have in common (SPEC.md §2): three ways to a page that agree, limits, kept
// and capped totals, and tables as CSV.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

/** The rows of a table after RFC 4180, by its first line. */
function parseCsv(text: string): Record<string, string>[] {
    const rows: string[][] = [[]];
    for (let at = 0; at < text.length; ) {
        const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/y;
        cell.lastIndex = at;
        const match = cell.exec(text);
        assert.ok(match, `not RFC 4180 at ${at}: ${JSON.stringify(text.slice(at, at + 40))}`);
        rows.at(-1)!.push(match[1]!.startsWith('"') ? match[1]!.slice(1, -1).replaceAll('""', '"') : match[1]!);
        if (match[2] === '\r\n') rows.push([]);
        at = cell.lastIndex;
    }
    rows.pop();
    const [header, ...data] = rows;
    return data.map((cells) => {
        assert.equal(cells.length, header!.length);
        return Object.fromEntries(header!.map((name, i) => [name, cells[i]!]));
    });
}

forEachStore((store) => {
    const site = useServer(store);
    let admin: Client;
    let lists: string[];
    let customer: Json;

    before(async () => {
        admin = site.admin;
        const company = (await admin.post('/companies', { name: 'Lists GmbH' })).body;
        for (const name of ['b', 'A', 'c', 'Ä', 'd']) await admin.post('/companies', { name });
        for (let i = 0; i < 5; i++) await invite(admin, 'agent', { name: `Twin ${i % 2}` });
        for (let i = 0; i < 5; i++) await admin.post('/keys', { name: `key ${i}` });
        for (let i = 0; i < 7; i++) customer = (await admin.post('/customers', { name: `Person ${i % 3}`, company_id: company.id, tags: ['t'] })).body;
        for (let i = 0; i < 7; i++) {
            await admin.post(`/customers/${customer.id}/notes`, { text: `note ${i}` });
            await admin.post('/sessions', { customer_id: customer.id, started_at: '2026-01-01T00:00:00Z' });
            await admin.post('/imports', { name: `file ${i}`, source_hash: String(i).repeat(64) });
        }
        const rows = Array.from({ length: 23 }, (_, i) => ({
            customer_id: customer.id, type: i % 3 === 0 ? 'email' : 'call', direction: 'outbound', channel: 'phone',
            subject: i % 2 === 0 ? `=Touch, "number" ${i}` : `Touch ${i}`, description: i % 4 === 0 ? 'two\r\nlines' : null,
            started_at: `2026-01-${String(1 + (i % 5)).padStart(2, '0')}T12:00:00Z`,
            follow_up_required: i % 2 === 0, follow_up_date: i % 4 === 0 ? '2026-02-01T00:00:00Z' : null,
        }));
        const made = await admin.post('/interactions/bulk', rows);
        assert.equal(made.body.failed, 0, made.text);
        lists = [
            '/companies?', '/users?', '/keys?', '/customers?', '/customers?tag=t', '/customers?status=new&tag=t',
            `/customers?company_id=${company.id}`, '/customers/search?q=person', `/customers/${customer.id}/notes?`,
            '/imports?', '/interactions?', `/interactions/customer/${customer.id}?`, `/interactions/company/${company.id}?`,
            '/interactions/type/call?', `/interactions/created-by/${site.tenant.user.id}?`, '/interactions/follow-ups?',
            '/interactions?type=call&channel=phone', '/interactions/search?q=touch',
            '/interactions?from=2026-01-02T00:00:00Z&to=2026-01-04T00:00:00Z', `/customers/${customer.id}/sessions?`,
        ];
        const known = await Promise.all(lists.map((path) => admin.get(path)));
        lists = lists.filter((_, i) => known[i]!.status !== 404);
        for (const answer of known) assert.ok(answer.status === 200 || answer.status === 404, answer.text);
    });

    async function page(path: string, query: string): Promise<Json> {
        const answer = await admin.get(`${path}&${query}`.replace('?&', '?'));
        assert.equal(answer.status, 200, `${path} ${query}: ${answer.text}`);
        return answer.body;
    }

    test('page, offset and cursor agree on every list', async () => {
        assert.ok(lists.length >= 19);
        for (const path of lists) {
            const whole = await page(path, 'limit=200');
            const all = whole.data;
            assert.ok(all.length > 3, path);
            assert.equal(new Set(all.map((row: Json) => row.id)).size, all.length);
            assert.deepEqual([whole.total, whole.page, whole.page_size, whole.next_cursor], [all.length, 1, 200, null], path);
            const plain = await page(path, '');
            assert.deepEqual([plain.data, plain.page_size], [all.slice(0, 20), 20], path);
            const byCursor: Json[] = [];
            const size = 3;
            for (let number = 1, cursor = ''; ; number++) {
                const byPage = await page(path, `page=${number}&page_size=${size}`);
                const byOffset = await page(path, `limit=${size}&offset=${(number - 1) * size}`);
                const expected = all.slice((number - 1) * size, number * size);
                assert.deepEqual([byPage.data, byPage.page, byPage.page_size], [expected, number, size], path);
                assert.deepEqual([byOffset.data, byOffset.page], [expected, number], path);
                const next = await page(path, `limit=${size}${cursor}`);
                byCursor.push(...next.data);
                assert.equal(next.total, all.length, path);
                assert.equal(byPage.next_cursor === null, number * size >= all.length, path);
                if (next.next_cursor === null) break;
                // Wherever a page came from, its cursor leads on.
                assert.equal(byPage.next_cursor, next.next_cursor, path);
                cursor = `&cursor=${next.next_cursor}`;
            }
            assert.deepEqual(byCursor, all, path);
            const behind = await page(path, `page=50&page_size=${size}`);
            assert.deepEqual([behind.data, behind.next_cursor, behind.total], [[], null, all.length], path);
        }
    });

    test('what is too much, or no such parameter, is refused by every list', async () => {
        const cases: [string, string[]][] = [
            ['page_size=201', ['page_size too_large']], ['limit=201', ['limit too_large']], ['limit=0', ['limit too_small']],
            ['page=0', ['page too_small']], ['limit=-1', ['limit too_small']], ['offset=-1', ['offset too_small']],
            ['limit=ten', ['limit wrong_type']], ['page=1.5', ['page wrong_type']], ['page_size=', ['page_size wrong_type']],
            ['limit=99999999999999999999', ['limit wrong_type']],
            ['offset=10001', ['offset too_large']], ['page=10002&page_size=1', ['page too_large']],
            ['page=1&offset=0', ['offset conflict']], ['limit=5&page_size=5', ['limit conflict']],
            ['cursor=AAAA', ['cursor bad_format']], ['cursor=', ['cursor bad_format']], ['cursor=%FF', ['cursor bad_format']],
            ['limit=5&limit=6', ['limit repeated']], ['format=xml', ['format not_one_of']],
            ['colour=red', ['colour unknown_field']], ['Limit=5', ['Limit unknown_field']],
            ['colour=red&limit=0&offset=x', ['colour unknown_field', 'limit too_small', 'offset wrong_type']],
        ];
        for (const path of lists) {
            for (const [query, expected] of cases) {
                const answer = await admin.get(`${path}&${query}`.replace('?&', '?'));
                assert.deepEqual([answer.status, faults(answer.body)], [422, expected], `${path} ${query}`);
            }
            assert.equal((await page(path, 'limit=200&offset=10000')).data.length, 0);
        }
    });

    test('a cursor belongs to its list, and is not made by hand', async () => {
        const cursors = await Promise.all(lists.map(async (path) => (await page(path, 'limit=3')).next_cursor as string));
        const pathOf = (list: string) => list.replace(/\?.*/, '').replace(/\/[0-9a-f-]{36}/, '/ID').replace(/type\/.*/, 'type');
        for (const [i, from] of lists.entries()) {
            for (const to of lists) {
                const answer = await admin.get(`${to}&cursor=${cursors[i]}`.replace('?&', '?'));
                if (pathOf(from) !== pathOf(to)) {
                    assert.deepEqual([answer.status, faults(answer.body)], [422, ['cursor bad_format']], `${from} in ${to}`);
                }
            }
            const cursor = cursors[i]!;
            for (const forged of [`A${cursor}`, `${cursor}%00`, cursor.slice(4), `${cursor}==`, `${cursor}.`, cursor.slice(0, 8)]) {
                const answer = await admin.get(`${from}&cursor=${forged}`.replace('?&', '?'));
                assert.equal(answer.status, 422, `${from} ${forged}`);
            }
        }
    });

    test('cursors stay right while rows come and go', async () => {
        const { key } = await site.site.createTenant('Moving', 'admin@moving.example');
        const boss = site.server.client(key);
        const ids: Record<string, string> = {};
        const add = async (name: string) => (ids[name] = (await boss.post('/customers', { name })).body.id);
        for (const name of ['b', 'd', 'f', 'h', 'j', 'l', 'n']) await add(name);
        const names = (body: Json) => body.data.map((one: Json) => one.name);
        const first = (await boss.get('/customers?limit=3')).body;
        assert.deepEqual(names(first), ['b', 'd', 'f']);
        await add('a'); // before what was read
        await add('g'); // ahead
        await boss.del(`/customers/${ids['f']}`); // the row that the cursor names
        await boss.del(`/customers/${ids['h']}`);
        const second = (await boss.get(`/customers?limit=3&cursor=${first.next_cursor}`)).body;
        assert.deepEqual([names(second), second.total], [['g', 'j', 'l'], 7]);
        await boss.patch(`/customers/${ids['l']}`, { name: 'z' });
        const third = (await boss.get(`/customers?limit=3&cursor=${second.next_cursor}`)).body;
        assert.deepEqual([names(third), third.next_cursor], [['n', 'z'], null]);
    });

    test('any filtered list can be had as a table', async () => {
        for (const path of lists) {
            const json = (await page(path, 'limit=200')).data;
            const answer = await admin.get(`${path}&format=csv`.replace('?&', '?'));
            assert.equal(answer.status, 200, answer.text);
            assert.match(answer.headers['content-type']!, /^text\/csv\b.*charset=utf-8/);
            assert.match(String(answer.headers['content-disposition']), /^attachment; filename="[\w-]+\.csv"$/);
            const table = parseCsv(answer.text);
            assert.deepEqual(table.map((row) => row['id']), json.map((row: Json) => row.id), path);
            for (const [i, row] of table.entries()) {
                for (const [name, cell] of Object.entries(row)) {
                    const value = json[i][name];
                    if (value === null || value === undefined) assert.equal(cell, '', `${path} ${name}`);
                    // No formula for a spreadsheet.
                    else if (typeof value !== 'object') assert.equal(cell, String(value).replace(/^=/, '\'='), `${path} ${name}`);
                }
            }
            const accepted = await admin.get(path, { headers: { accept: 'text/csv' } });
            assert.equal(accepted.text, answer.text);
            const preferred = await admin.get(path, { headers: { accept: 'application/json, text/csv' } });
            assert.match(preferred.headers['content-type']!, /^application\/json/);
        }
        const pages: string[] = [];
        for (let cursor = ''; ; ) {
            const answer = await admin.get(`/interactions?type=call&channel=phone&format=csv&limit=4${cursor}`);
            pages.push(...parseCsv(answer.text).map((row) => row['id']!));
            if (answer.headers['x-next-cursor'] === undefined) break;
            cursor = `&cursor=${String(answer.headers['x-next-cursor'])}`;
        }
        const json = (await page('/interactions?type=call&channel=phone', 'limit=200')).data;
        assert.deepEqual(pages, json.map((row: Json) => row.id));
        assert.deepEqual(faults((await admin.get('/customers?format=csv&limit=10001')).body), ['limit too_large']);
        const none = await admin.get('/customers?tag=none&status=lost&format=csv');
        assert.deepEqual([none.status, parseCsv(none.text).length, none.text.split('\r\n').length], [200, 0, 2]);
    });

    if (store !== 'sqlite') return;
    describe('beyond ten thousand rows', () => {
        const COUNT = 10_050;
        let boss: Client;
        let id: string;

        before(async () => {
            const { key } = await site.site.createTenant('Many', 'admin@many.example');
            boss = site.server.client(key);
            id = (await boss.post('/customers', { name: 'Busy' })).body.id;
            for (let made = 0; made < COUNT; made += 1000) {
                const rows = Array.from({ length: Math.min(1000, COUNT - made) }, (_, i) => ({
                    customer_id: id, type: 'call', direction: 'inbound', channel: 'phone', subject: 'x',
                    started_at: new Date(Date.UTC(2026, 0, 1) + (made + i) * 1000).toISOString(),
                }));
                const answer = await boss.post('/interactions/bulk', rows);
                assert.deepEqual([answer.status, answer.body.failed], [200, 0], answer.text.slice(0, 500));
            }
        });

        test('kept totals are exact, counted ones stop and say so', async () => {
            for (const path of ['/interactions', `/interactions/customer/${id}`, '/interactions/type/call', `/interactions?customer_id=${id}`]) {
                const { body } = await boss.get(`${path}${path.includes('?') ? '&' : '?'}limit=1`);
                assert.deepEqual([body.total, body.total_capped], [COUNT, undefined], path);
            }
            for (const query of [`customer_id=${id}&channel=phone`, 'type=call&direction=inbound', 'from=2026-01-01T00:00:00Z', 'q=x']) {
                const { body } = await boss.get(`/interactions?${query}&limit=1`);
                assert.deepEqual([body.total, body.total_capped], [10_000, true], query);
            }
            const few = (await boss.get('/interactions?type=call&channel=phone&to=2026-01-01T00:00:10Z')).body;
            assert.deepEqual([few.total, few.total_capped], [10, undefined]);
        });

        test('deep pages go by cursor', async () => {
            const deep = (await boss.get('/interactions?type=call&channel=phone&limit=40&offset=10000')).body;
            assert.deepEqual([deep.data.length, deep.page], [40, 251]);
            const rest = (await boss.get(`/interactions?type=call&channel=phone&limit=40&cursor=${deep.next_cursor}`)).body;
            assert.deepEqual([rest.data.length, rest.next_cursor, rest.page], [10, null, null]);
            assert.equal(rest.data.at(-1).started_at, '2026-01-01T00:00:00Z');
            const table = await boss.get('/interactions?type=call&channel=phone&format=csv');
            assert.equal(table.text.split('\r\n').length, 10_002);
            const tail = await boss.get(`/interactions?type=call&channel=phone&format=csv&cursor=${String(table.headers['x-next-cursor'])}`);
            assert.deepEqual([tail.text.split('\r\n').length, tail.headers['x-next-cursor']], [52, undefined]);
        });
    });
});
