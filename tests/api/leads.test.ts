// Lists of leads as those who sell read them: who has not been contacted for days, by which method,
// in which status, whose, sorted by the last contact; under each of the three names.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Json } from '../kit/client.ts';
import { faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const mounts = ['/customers', '/contacts', '/leads'];
const sorts = ['', 'sort=name', 'sort=last_contacted_at', 'sort=-last_contacted_at'];
const DAY = 86_400_000;

/** What a list should answer, of those whom `holds` says. */
function sorted(people: Json[], sort: string, holds: (one: Json) => boolean): string[] {
    const time = (one: Json) => (one.last_contacted_at === null ? -Infinity : Date.parse(one.last_contacted_at));
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    const rows = people.filter(holds).sort((a, b) =>
        (/last/.test(sort) ? Math.sign(time(a) - time(b)) || 0 : order(a.name, b.name)) || order(a.id, b.id));
    return (sort.includes('-') ? rows.reverse() : rows).map(({ name }) => name);
}

/** All pages by cursor. */
async function walk(client: Client, list: string): Promise<{ names: string[]; totals: number[] }> {
    const names: string[] = [];
    const totals = new Set<number>();
    let cursor = '';
    do {
        const { status, body, text } = await client.get(`${list}&limit=4${cursor}`);
        assert.equal(status, 200, text);
        totals.add(body.total);
        assert.equal(body.total_capped ?? false, false);
        names.push(...body.data.map((one: Json) => one.name));
        cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
    } while (cursor !== '');
    return { names, totals: [...totals] };
}

forEachStore((store) => {
    const site = useServer(store);
    let admin: Client;
    let owner: Json, company: Json;
    let people: Json[];

    const ago = (days: number) => new Date(Date.now() - days * DAY).toISOString();
    const total = async (query: string): Promise<number> => (await admin.get(`/leads?${query}`)).body.total;
    const touch = async (id: string, fields: Json = {}): Promise<Json> => {
        const made = await admin.post('/interactions', { customer_id: id, type: 'call', direction: 'outbound', subject: 'Touch', started_at: ago(1), ...fields });
        assert.equal(made.status, 201, made.text);
        return made.body;
    };

    before(async () => {
        admin = site.admin;
        owner = await invite(admin, 'agent');
        company = (await admin.post('/companies', { name: 'Leads GmbH' })).body;
        const contacts: [days: number, type: string][] = [[1, 'call'], [1, 'linkedin'], [10, 'email'], [40, 'call'], [40, 'email'], [400, 'linkedin']];
        const started = contacts.map(([days]) => ago(days + 0.5));
        for (let i = 0; i < 24; i++) {
            const made = await admin.post('/leads', {
                name: `lead ${'abcd'[i % 4]}${'abcdef'[Math.floor(i / 4)]}`, status: ['qualified', 'lost'][i % 2],
                owner_id: i % 3 === 0 ? owner.id : null, company_id: i % 4 === 0 ? company.id : null, tags: i % 5 === 0 ? ['vip'] : [],
            });
            assert.equal(made.status, 201, made.text);
            const at = i % 8;
            if (at < contacts.length) await touch(made.body.id, { type: contacts[at]![1], started_at: started[at] });
        }
        people = (await admin.get('/leads?limit=100')).body.data;
        assert.equal(people.length, 24);
    });

    test('every filter in every order is what it says', async () => {
        const asked: [string, (one: Json) => boolean][] = [
            ['', () => true],
            ['status=lost', (one) => one.status === 'lost'],
            [`owner_id=${owner.id}`, (one) => one.owner_id === owner.id],
            [`company_id=${company.id}`, (one) => one.company_id === company.id],
            ['tag=vip', (one) => one.tags.includes('vip')],
            ['q=lead%20b', (one) => / b/.test(one.name)],
            ['method=call', (one) => one.last_contact_method === 'call'],
            ['method=phone', (one) => one.last_contact_method === 'call'],
            ['method=linkedin', (one) => one.last_contact_method === 'linkedin'],
            ['method=social_media', () => false],
            ['method=sms&status=lost', () => false],
        ];
        const silences: [string, number][] = [['not_contacted_days=30', 30], ['not_contacted_days=36500', 36500], [`not_contacted_since=${ago(5)}`, 5], ['', -1]];
        for (const [i, [query, holds]] of asked.entries()) {
            for (const [silence, days] of silences) {
                for (const sort of sorts) {
                    const silent = (one: Json) => days < 0 || one.last_contacted_at === null || Date.parse(one.last_contacted_at) < Date.now() - days * DAY;
                    const expected = sorted(people, sort, (one) => holds(one) && silent(one));
                    const list = `${mounts[i % 3]}?${[query, silence, sort].filter((part) => part !== '').join('&')}`;
                    const found = await walk(admin, list);
                    assert.deepEqual(found, { names: expected, totals: [expected.length] }, list);
                    const skipped = await admin.get(`${list}&limit=3&offset=2`);
                    assert.deepEqual(skipped.body.data.map((one: Json) => one.name), expected.slice(2, 5), list);
                }
            }
        }
    });

    test('the same list under each name, and as a table', async () => {
        const query = `owner_id=${owner.id}&not_contacted_days=30&sort=last_contacted_at`;
        const [first, ...others] = await Promise.all(mounts.map((mount) => admin.get(`${mount}?${query}`)));
        assert.ok(first!.body.data.length > 1);
        assert.equal(first!.body.data[0].last_contacted_at, null);
        for (const other of others) assert.deepEqual(other.body, first!.body);
        const table = await admin.get(`/leads?${query}&format=csv`);
        assert.equal(table.status, 200);
        assert.deepEqual(table.text.trim().split('\r\n').length, 1 + first!.body.data.length);
        assert.ok(first!.body.data.every((one: Json, i: number) => table.text.split('\r\n')[i + 1]!.includes(one.id)));
    });

    test('bad input is named field by field', async () => {
        const bad = async (query: string) => {
            const answer = await admin.get(`/leads?${query}`);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(await bad('sort=created_at&method=pigeon&not_contacted_days=0'), ['method not_one_of', 'not_contacted_days too_small', 'sort not_one_of']);
        assert.deepEqual(await bad('not_contacted_days=36501'), ['not_contacted_days too_large']);
        assert.deepEqual(await bad('not_contacted_days=soon'), ['not_contacted_days bad_format']);
        assert.deepEqual(await bad('not_contacted_days=3&not_contacted_since=2026-01-01T00:00:00Z'), ['not_contacted_days conflict']);
        assert.deepEqual(await bad('sort=name&sort=name'), ['sort repeated']);
    });

    test('a cursor goes on in its own order only', async () => {
        const orders = sorts.slice(1);
        for (const made of orders) {
            const { next_cursor } = (await admin.get(`/leads?limit=2&${made}`)).body;
            for (const used of orders) {
                const answer = await admin.get(`/leads?limit=2&${used}&cursor=${next_cursor}`);
                if (used === made) assert.equal(answer.status, 200, answer.text);
                else assert.deepEqual([answer.status, faults(answer.body)], [422, ['cursor bad_format']]);
            }
        }
    });

    test('the total by method is kept, whatever happens', async () => {
        const counts = () => Promise.all(['call', 'email', 'sms', 'linkedin'].map(async (method) => {
            const { names, totals: [kept] } = await walk(admin, `/leads?method=${method}&sort=-last_contacted_at`);
            assert.equal(kept, names.length, method);
            assert.equal(await total(`method=${method}`), kept);
            return names.length;
        }));
        const start = await counts();
        const count = async (): Promise<number[]> => (await counts()).map((one, i) => one - start[i]!);
        const { id } = (await admin.post('/leads', { name: 'Mover' })).body;
        assert.deepEqual(await count(), [0, 0, 0, 0]);
        const first = await touch(id);
        assert.deepEqual(await count(), [1, 0, 0, 0]);
        const second = await touch(id, { type: 'sms', started_at: ago(0.5) });
        assert.deepEqual(await count(), [0, 0, 1, 0]);
        await touch(id, { type: 'email', started_at: ago(3) }); // not the latest
        assert.deepEqual(await count(), [0, 0, 1, 0]);
        assert.equal((await admin.patch(`/interactions/${second.id}`, { type: 'linkedin' })).status, 200);
        assert.deepEqual(await count(), [0, 0, 0, 1]);
        assert.equal((await admin.del(`/interactions/${second.id}`)).status, 204);
        assert.deepEqual(await count(), [1, 0, 0, 0]);
        assert.equal((await admin.del(`/leads/${id}`)).status, 204);
        assert.deepEqual(await count(), [0, 0, 0, 0]);
        assert.equal((await admin.post(`/leads/${id}/restore`)).status, 200);
        assert.deepEqual(await count(), [1, 0, 0, 0]);

        const { id: other } = (await admin.post('/leads', { name: 'Mover too' })).body;
        await touch(other, { type: 'sms', started_at: ago(0.1) });
        assert.deepEqual(await count(), [1, 0, 1, 0]);
        const merge = await admin.post(`/leads/${id}/merge`, { merged_id: other });
        assert.equal(merge.status, 200, merge.text);
        assert.deepEqual(await count(), [0, 0, 1, 0]);
        assert.equal((await admin.post(`/leads/${id}/merges/${merge.body.id}/undo`)).status, 200);
        assert.deepEqual(await count(), [1, 0, 1, 0]);
        assert.equal((await admin.del(`/interactions/${first.id}`)).status, 204);
        assert.deepEqual(await count(), [0, 1, 1, 0]);
        for (const one of [id, other]) assert.equal((await admin.del(`/leads/${one}`)).status, 204);
        assert.deepEqual(await count(), [0, 0, 0, 0]);
    });

    test('a planned touch moves its lead when it comes due', async () => {
        const { id } = (await admin.post('/leads', { name: 'Awaited', tags: ['awaited'] })).body;
        const first = async (sort: string): Promise<string> => (await admin.get(`/leads?limit=1&sort=${sort}`)).body.data[0].id;
        const before = await total('method=sms');
        await touch(id, { type: 'sms', started_at: new Date(Date.now() + 1500).toISOString() });
        assert.deepEqual([await total('method=sms'), await total('tag=awaited&not_contacted_days=1')], [before, 1]);
        assert.notEqual(await first('-last_contacted_at'), id);
        for (let i = 0; i < 300 && (await total('method=sms')) === before; i++) await sleep(100);
        assert.deepEqual([await total('method=sms'), await total('tag=awaited&not_contacted_days=1')], [before + 1, 0]);
        assert.equal(await first('-last_contacted_at'), id);
    });
});
