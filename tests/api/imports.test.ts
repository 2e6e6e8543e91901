// Imports: portions of rows behind a checkpoint, refused rows kept with their reasons, and
// no doubles however often a row is sent (SPEC.md §9, §12).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** Row n of a file: a customer and a call of 60 seconds. */
function rowOf(n: number, prefix: string, fields: Json = {}): Json {
    return {
        row: n,
        line: n + 1,
        customer: { external_id: `${prefix}-${n}`, name: `${prefix} ${n}` },
        interaction: {
            external_id: `${prefix}-call-${n}`, type: 'call', direction: 'outbound', channel: 'cellular',
            outcome: 'successful', started_at: '2026-03-01T12:00:00Z', duration_seconds: 60,
        },
        ...fields,
    };
}

const upTo = (count: number, prefix: string, from = 1) =>
    Array.from({ length: count - from + 1 }, (_, i) => rowOf(from + i, prefix));

const countsOf = ({ next_row, customers, interactions, present, refused }: Json) =>
    ({ next_row, customers, interactions, present, refused });

forEachStore((store) => {
    const site = useServer(store);

    async function freshTenant(name: string): Promise<Client> {
        const { key } = await site.site.createTenant(name, `admin@${name.toLowerCase()}.example`);
        return site.server.client(key);
    }

    async function begin(client: Client, name: string): Promise<Json> {
        const begun = await client.post('/imports', { name, source_hash: hashOf(name) });
        assert.equal(begun.status, 201, begun.text);
        return begun.body;
    }

    async function send(client: Client, id: string, rows: Json): Promise<Json> {
        const answer = await client.post(`/imports/${id}/rows`, rows);
        assert.equal(answer.status, 200, answer.text);
        return answer.body;
    }

    const statuses = (body: Json) => body.rows.map((row: Json) => row.status);

    async function counts(client: Client, id: string): Promise<Json> {
        return countsOf((await client.get(`/imports/${id}`)).body);
    }

    async function totals(client: Client): Promise<number[]> {
        const both = [await client.get('/customers?limit=1'), await client.get('/interactions?limit=1')];
        return both.map(({ body }) => body.total);
    }

    test('a source has one import, whoever begins it again', async () => {
        const body = { name: 'people.csv', source_hash: hashOf('people') };
        const first = await site.admin.post('/imports', body);
        assert.equal(first.status, 201, first.text);
        assert.equal(first.headers.location, `/api/v1/imports/${first.body.id}`);
        const { id, created_at, updated_at, ...rest } = first.body;
        assert.equal(created_at, updated_at);
        assert.deepEqual(rest, {
            ...body, next_row: 1, customers: 0, interactions: 0, present: 0, refused: 0,
            created_by: site.tenant.user.id, finished_at: null,
        });
        const again = await site.admin.post('/imports', { ...body, name: 'renamed.csv' });
        assert.deepEqual([again.status, again.body], [200, first.body]);
        assert.deepEqual((await site.admin.get(`/imports/${id}`)).body, first.body);
        const racing = await Promise.all(Array.from({ length: 6 }, () =>
            site.admin.post('/imports', { name: 'race.csv', source_hash: hashOf('race') })));
        assert.deepEqual(racing.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 201]);
        assert.equal(new Set(racing.map(({ body: one }) => one.id)).size, 1);
    });

    test('rows become customers and interactions, and a portion sent twice changes nothing', async () => {
        const boss = await freshTenant('Rows');
        const { id } = await begin(boss, 'rows');
        const sent = await send(boss, id, upTo(3, 'r'));
        assert.deepEqual([statuses(sent), sent.succeeded, sent.failed], [[201, 201, 201], 3, 0]);
        const expected = { next_row: 4, customers: 3, interactions: 3, present: 0, refused: 0 };
        assert.deepEqual(await counts(boss, id), expected);

        const customer = (await boss.get('/customers/external/r-2')).body;
        assert.deepEqual([customer.name, customer.id, customer.contact_count], ['r 2', sent.rows[1].id, 1]);
        const { data: [call], total } = (await boss.get(`/interactions/customer/${customer.id}`)).body;
        assert.equal(total, 1);
        assert.deepEqual(
            [call.external_id, call.type, call.direction, call.channel, call.outcome, call.subject, call.duration_sec],
            ['r-call-2', 'call', 'outbound', 'cellular', 'successful', null, 60],
        );

        assert.deepEqual(statuses(await send(boss, id, upTo(3, 'r'))), [200, 200, 200]);
        assert.deepEqual(await counts(boss, id), expected);
        // Half of it was there: a client that died before the answer sends what it has.
        assert.deepEqual(statuses(await send(boss, id, { rows: upTo(5, 'r', 2) })), [200, 200, 201, 201]);
        assert.deepEqual(await counts(boss, id), { ...expected, next_row: 6, customers: 5, interactions: 5 });
        assert.deepEqual(await totals(boss), [5, 5]);
    });

    test('what another source brought is present, not doubled', async () => {
        const boss = await freshTenant('Again');
        const first = await begin(boss, 'one file');
        await send(boss, first.id, upTo(3, 'a'));
        const second = await begin(boss, 'the same rows in another file');
        const rows = [
            rowOf(1, 'a'),
            // The customer is known, the interaction is not; and the other way round.
            { ...rowOf(2, 'a'), interaction: rowOf(20, 'a').interaction },
            { ...rowOf(3, 'a'), interaction: null },
            { ...rowOf(4, 'a'), interaction: rowOf(3, 'a').interaction },
        ];
        assert.deepEqual(statuses(await send(boss, second.id, rows)), [200, 201, 200, 201]);
        assert.deepEqual(await counts(boss, second.id), { next_row: 5, customers: 1, interactions: 1, present: 2, refused: 0 });
        assert.deepEqual(await totals(boss), [4, 4]);
        // The same external ids twice in one portion.
        const third = await begin(boss, 'twice in itself');
        const twice = [{ ...rowOf(9, 'a'), row: 1 }, { ...rowOf(9, 'a'), row: 2 }];
        assert.deepEqual(statuses(await send(boss, third.id, twice)), [201, 200]);
        assert.deepEqual(await totals(boss), [5, 5]);
        assert.equal((await boss.get('/customers/external/a-9')).body.contact_count, 1);
    });

    test('a bad row is refused with its reason, and the good ones around it stay', async () => {
        const boss = await freshTenant('Refused');
        const { id } = await begin(boss, 'bad rows');
        const touch = rowOf(1, 'x').interaction;
        const rows = [
            rowOf(1, 'x'),
            rowOf(2, 'x', { customer: { name: '', external_id: 'x-2', emails: 5, nick: 'n' } }),
            rowOf(3, 'x', { customer: { name: 'Without' } }),
            { row: 4, line: 5, refused: 'the date is the 31st of February' },
            rowOf(5, 'x', { interaction: { ...touch, external_id: 'x-5', type: 'fax', ended_at: 'soon' } }),
            rowOf(6, 'x', { interaction: { ...touch, external_id: 'x-6', ended_at: '2026-03-01T12:01:00Z' } }),
            rowOf(7, 'x', { interaction: { ...touch, external_id: null } }),
            rowOf(8, 'x', { customer: null }),
            rowOf(9, 'x', { customer: 'Jane' }),
            rowOf(10, 'x', { lines: 3 }),
            rowOf(11, 'x', { customer: { external_id: 'x-11', name: 'x', company_id: unknown } }),
            rowOf(12, 'x'),
        ];
        const sent = await send(boss, id, rows);
        assert.deepEqual(statuses(sent), [201, 422, 422, 422, 422, 422, 422, 422, 422, 422, 404, 201]);
        assert.deepEqual([sent.succeeded, sent.failed], [2, 10]);
        assert.deepEqual(faults(sent.rows[1]), [
            'customer.emails wrong_type', 'customer.name too_short', 'customer.nick unknown_field',
        ]);
        assert.deepEqual(faults(sent.rows[4]), ['interaction.ended_at bad_format', 'interaction.type not_one_of']);
        assert.deepEqual(await counts(boss, id), { next_row: 13, customers: 2, interactions: 2, present: 0, refused: 10 });
        assert.deepEqual(await totals(boss), [2, 2], 'a refused interaction takes its customer with it');

        const refusals = (await boss.get(`/imports/${id}/refusals`)).body;
        assert.equal(refusals.total, 10);
        assert.deepEqual(refusals.data.map((one: Json) => [one.row, one.line]), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => [n, n + 1]));
        const reasonOf = (row: number) => refusals.data.find((one: Json) => one.row === row).reason;
        assert.equal(reasonOf(4), 'the date is the 31st of February');
        for (const word of [/customer\.name /, /customer\.emails /, /customer\.nick /]) assert.match(reasonOf(2), word);
        assert.match(reasonOf(3), /^customer\.external_id is needed/);
        assert.match(reasonOf(6), /^interaction\.duration_seconds cannot be given together with ended_at$/);
        assert.match(reasonOf(8), /^customer is needed$/);
        assert.match(reasonOf(11), /company_id/);
        const rest = (await boss.get(`/imports/${id}/refusals?after=9`)).body;
        assert.deepEqual([rest.data.map((one: Json) => one.row), rest.total], [[10, 11], 10]);

        assert.deepEqual(statuses(await send(boss, id, [rows[3], rows[0]])), [200, 200]);
        const again = (await boss.get(`/imports/${id}/refusals`)).body;
        assert.deepEqual(again, refusals, 'a refused row that is sent again is done, too');
        assert.equal((await counts(boss, id)).refused, 10);
    });

    test('a gap is refused, since nobody would come back for it', async () => {
        const boss = await freshTenant('Gaps');
        const { id } = await begin(boss, 'gaps');
        for (const rows of [upTo(4, 'g', 3), [rowOf(1, 'g'), rowOf(3, 'g')], [rowOf(2, 'g'), rowOf(1, 'g')]]) {
            const gap = await boss.post(`/imports/${id}/rows`, rows);
            assert.equal(gap.status, 409, gap.text);
        }
        assert.deepEqual(await counts(boss, id), { next_row: 1, customers: 0, interactions: 0, present: 0, refused: 0 });
        assert.deepEqual(await totals(boss), [0, 0]);
        assert.deepEqual(statuses(await send(boss, id, upTo(2, 'g'))), [201, 201]);
        assert.deepEqual(statuses(await send(boss, id, upTo(4, 'g', 3))), [201, 201]);
        // A row without a number has no place, and what follows it is behind a gap.
        assert.deepEqual(statuses(await send(boss, id, [{ line: 6 }, 5])), [422, 422]);
        assert.equal((await boss.post(`/imports/${id}/rows`, [{ line: 6 }, rowOf(6, 'g')])).status, 409);
        assert.equal((await counts(boss, id)).next_row, 5);
        // Two clients with the same portion.
        const racing = await Promise.all(Array.from({ length: 4 }, () => send(boss, id, upTo(9, 'g', 5))));
        assert.deepEqual(racing.map((body) => statuses(body)[0]).sort(), [200, 200, 200, 201]);
        assert.deepEqual(await counts(boss, id), { next_row: 10, customers: 9, interactions: 9, present: 0, refused: 0 });
    });

    test('finishing is said once, and takes no more rows', async () => {
        const boss = await freshTenant('Finish');
        const { id } = await begin(boss, 'finish');
        await send(boss, id, upTo(2, 'f'));
        const finished = await boss.post(`/imports/${id}/finish`);
        assert.equal(finished.status, 200, finished.text);
        assert.notEqual(finished.body.finished_at, null);
        assert.deepEqual((await boss.post(`/imports/${id}/finish`)).body, finished.body);
        assert.deepEqual(statuses(await send(boss, id, upTo(2, 'f'))), [200, 200]);
        assert.equal((await boss.post(`/imports/${id}/rows`, upTo(3, 'f'))).status, 409);
        assert.deepEqual(await totals(boss), [2, 2]);
        const again = await boss.post('/imports', { name: 'finish', source_hash: hashOf('finish') });
        assert.deepEqual([again.status, again.body.finished_at], [200, finished.body.finished_at]);
    });

    test('the imports are listed newest first', async () => {
        const boss = await freshTenant('Listed');
        const names = ['1', '2', '3', '4', '5'];
        for (const name of names) await begin(boss, name);
        const seen: string[] = [];
        for (let cursor = ''; ; ) {
            const page = (await boss.get(`/imports?limit=2${cursor}`)).body;
            assert.equal(page.total, 5);
            seen.push(...page.data.map((one: Json) => one.name));
            if (page.next_cursor === null) break;
            cursor = `&cursor=${page.next_cursor}`;
        }
        assert.deepEqual(seen, [...names].reverse());
    });

    test('it takes a manager, and ids are of this tenant', async () => {
        const stranger = await freshTenant('Elsewhere');
        const { id } = await begin(site.admin, 'mine');
        const requests: ((client: Client, id: string) => Promise<Answer>)[] = [
            (client, at) => client.get(`/imports/${at}`),
            (client, at) => client.get(`/imports/${at}/refusals`),
            (client, at) => client.post(`/imports/${at}/rows`, upTo(1, 'w')),
            (client, at) => client.post(`/imports/${at}/finish`),
        ];
        for (const request of requests) {
            const foreign = await request(stranger, id);
            const none = await request(stranger, unknown);
            assert.deepEqual([foreign.status, none.status], [404, 404]);
            assert.deepEqual({ ...foreign.body, request_id: '' }, { ...none.body, request_id: '' });
        }
        // The same bytes are another import in another tenant.
        const theirs = await stranger.post('/imports', { name: 'mine', source_hash: hashOf('mine') });
        assert.deepEqual([theirs.status, theirs.body.id === id], [201, false]);
        const { client: agent } = await addPerson(site.admin, 'agent');
        for (const request of requests) assert.equal((await request(agent, id)).status, 403);
        assert.equal((await agent.get('/imports')).status, 403);
        assert.equal((await agent.post('/imports', { name: 'x', source_hash: hashOf('x') })).status, 403);
        const { client: manager } = await addPerson(site.admin, 'manager');
        assert.deepEqual(statuses(await send(manager, id, upTo(1, 'm'))), [201]);
        assert.equal((await site.admin.get(`/imports/${id}`)).body.finished_at, null);
    });

    test('every fault is named', async () => {
        const bad = await site.admin.post('/imports', { name: '', source_hash: 'abc', next_row: 5, hash: 'x' });
        assert.equal(bad.status, 422);
        assert.deepEqual(faults(bad.body), [
            'hash unknown_field', 'name too_short', 'next_row read_only', 'source_hash bad_format',
        ]);
        assert.deepEqual(faults((await site.admin.post('/imports', {})).body), ['name required', 'source_hash required']);
        const { id } = await begin(site.admin, 'faults');
        const at = `/imports/${id}/rows`;
        assert.equal((await site.admin.post(at, '[{"row":1')).status, 400);
        assert.equal((await site.admin.post(at)).status, 400);
        assert.deepEqual(faults((await site.admin.post(at, [])).body), ['rows too_short']);
        assert.deepEqual(faults((await site.admin.post(at, { rows: 5 })).body), ['rows wrong_type']);
        assert.deepEqual(faults((await site.admin.post(at, { row: 5 })).body), ['row unknown_field', 'rows required']);
        const many = Array.from({ length: 1001 }, (_, i) => ({ row: i + 1, line: i + 1 }));
        assert.deepEqual(faults((await site.admin.post(at, many)).body), ['rows too_long']);
        assert.deepEqual(faults((await site.admin.get(`/imports/${id}/refusals?after=x`)).body), ['after bad_format']);
        assert.equal((await counts(site.admin, id)).next_row, 1);
    });

    test('it goes on where it was when the server has started again', async () => {
        const { id } = await begin(site.admin, 'restart');
        await send(site.admin, id, upTo(10, 'k'));
        await site.server.kill();
        await site.startServer([]);
        assert.equal((await counts(site.admin, id)).next_row, 11);
        assert.deepEqual(statuses(await send(site.admin, id, upTo(12, 'k', 10))), [200, 201, 201]);
        assert.deepEqual(await counts(site.admin, id), { next_row: 13, customers: 12, interactions: 12, present: 0, refused: 0 });
    });
});
