import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const path = encodeURIComponent;

async function make(client: Client, fields: Json): Promise<Json> {
    const made = await client.post('/customers', { name: 'Somebody', ...fields });
    assert.equal(made.status, 201, made.text);
    return made.body;
}

async function names(client: Client, query: string): Promise<string[]> {
    const list = await client.get(`/customers${query}`);
    assert.equal(list.status, 200, list.text);
    return list.body.data.map((customer: Json) => customer.name);
}

forEachStore((store) => {
    const site = useServer(store);

    /** A tenant of the test's own, so that totals are its own too. */
    async function freshAdmin(name: string): Promise<Client> {
        const { key } = await site.site.createTenant(name, `admin@${name.toLowerCase()}.example`);
        return site.server.client(key);
    }

    test('a customer is created with defaults, and answered by three names', async () => {
        const made = await site.admin.post('/leads', { name: 'Anna Müller' });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/leads/${made.body.id}`);
        assert.equal(made.headers.etag, '"1"');
        const { id, created_at, updated_at, created_by, ...rest } = made.body;
        assert.equal(created_by, site.tenant.user.id);
        assert.equal(created_at, updated_at);
        assert.deepEqual(rest, {
            external_id: null, name: 'Anna Müller', emails: [], phones: [], email: null, phone: null, locale: null,
            timezone: null, company_id: null, company_name: null, status: 'new', owner_id: null, owner_name: null,
            tags: [], custom_fields: null,
            consent: { email: 'unknown', sms: 'unknown', push: 'unknown', phone: 'unknown' },
            last_contacted_at: null, last_contact_method: null, contact_count: 0, last_response_at: null, version: 1,
        });
        for (const mount of ['customers', 'contacts', 'leads']) {
            const shown = await site.admin.get(`/${mount}/${id}`);
            assert.deepEqual(shown.body, made.body);
            assert.equal(shown.headers.etag, '"1"');
        }
    });

    test('everything that can be given comes back', async () => {
        const company = (await site.admin.post('/companies', { name: 'Given GmbH' })).body;
        const owner = await invite(site.admin, 'agent', { name: 'Olga Owner' });
        const given = {
            external_id: 'everything/1', name: '山田 太郎', locale: 'ja-JP', timezone: 'Asia/Tokyo', status: 'qualified',
            emails: [{ address: 'Taro@Example.com', label: 'work' }, { address: 't@home.example', primary: true }],
            phones: [{ number: '+81312345678', label: null }], company_id: company.id, owner_id: owner.id,
            tags: ['vip', 'naïve “quotes”'], custom_fields: { plan: 'gold', nested: { a: [1, 2.5, null, true] } },
            consent: { email: 'granted', sms: 'denied' },
        };
        const made = await make(site.admin, given);
        assert.equal(made.email, 't@home.example');
        assert.equal(made.phone, '+81312345678');
        assert.equal(made.company_name, 'Given GmbH');
        assert.equal(made.owner_name, 'Olga Owner');
        assert.deepEqual(made.tags, given.tags);
        assert.deepEqual(made.custom_fields, given.custom_fields);
        assert.deepEqual(made.consent, { email: 'granted', sms: 'denied', push: 'unknown', phone: 'unknown' });
        assert.deepEqual(made.emails.map((one: Json) => one.primary), [false, true]);
        assert.deepEqual(made.phones, [{ number: '+81312345678', label: null, primary: true }]);
        assert.deepEqual((await site.admin.get(`/customers/${made.id}`)).body, made);
        assert.deepEqual((await site.admin.get(`/customers/external/${path('everything/1')}`)).body, made);
        assert.equal((await site.admin.get('/customers/external/everything')).status, 404);
    });

    test('every fault is named', async () => {
        const bad = await site.admin.post('/customers', {
            name: '', emails: [{ address: 'nobody' }], phones: [{ number: '030 123' }], locale: '!', timezone: 'Mars',
            status: 'friend', tags: ['a', 'a'], custom_fields: [], contact_count: 3, nickname: 'x', company_id: 'y',
            consent: { email: 'perhaps', fax: 'granted' },
        });
        assert.equal(bad.status, 422, bad.text);
        assert.deepEqual(faults(bad.body), [
            'company_id bad_format', 'consent.email not_one_of', 'consent.fax unknown_field', 'contact_count read_only',
            'custom_fields wrong_type', 'emails[0].address bad_format', 'locale bad_format', 'name too_short',
            'nickname unknown_field', 'phones[0].number bad_format', 'status not_one_of', 'tags[1] repeated',
            'timezone bad_format'].sort());
        assert.deepEqual(faults((await site.admin.post('/customers', {})).body), ['name required']);
        for (const [fields, fault] of [
            [{ name: '  ' }, 'name too_short'],
            [{ emails: [{ address: 'a@b.example' }, { address: 'A@B.example' }] }, 'emails repeated'],
            [{ phones: [{ number: '+4930123456', primary: true }, { number: '+4930123457', primary: true }] }, 'phones primary'],
            [{ email: 'x@b.example', emails: [{ address: 'a@b.example' }] }, 'email not_one_of'],
            [{ tags: ['x'.repeat(65)] }, 'tags[0] bad_format'],
        ] as [object, string][]) {
            const answer = await site.admin.post('/customers', { name: 'Faulty', ...fields });
            assert.equal(answer.status, 422, answer.text);
            assert.deepEqual(faults(answer.body), [fault]);
        }
    });

    test('ids in the body are of this tenant', async () => {
        const stranger = await freshAdmin('Strangers');
        const company = (await stranger.post('/companies', { name: 'Elsewhere' })).body;
        const owner = await invite(stranger, 'agent');
        const customer = await make(site.admin, {});
        for (const fields of [{ company_id: company.id }, { owner_id: owner.id }, { company_id: unknown }, { owner_id: unknown }]) {
            for (const answer of [
                await site.admin.post('/customers', { name: 'x', ...fields }),
                await site.admin.patch(`/customers/${customer.id}`, fields),
            ]) {
                assert.equal(answer.status, 404, answer.text);
                assert.equal(answer.body.detail, `There is no such record: ${Object.keys(fields)[0]}.`);
            }
        }
        assert.equal((await stranger.get(`/customers/${customer.id}`)).status, 404);
        assert.equal((await stranger.put(`/customers/${customer.id}/tags/x`)).status, 404);
        assert.equal((await stranger.get(`/customers/${customer.id}/notes`)).status, 404);
        const { user } = await addPerson(site.admin, 'agent');
        assert.equal((await site.admin.post(`/users/${user.id}/deactivate`, {})).status, 200);
        const inactive = await site.admin.put(`/customers/${customer.id}/owner`, { owner_id: user.id });
        assert.deepEqual([inactive.status, faults(inactive.body)], [422, ['owner_id inactive']]);
    });

    test('a patch merges, clears, and guards against lost updates', async () => {
        const made = await make(site.admin, {
            locale: 'de', custom_fields: { a: 1, b: { c: 2, d: 3 } }, consent: { sms: 'granted' }, email: 'one@x.example',
        });
        const at = `/customers/${made.id}`;
        const patched = await site.admin.patch(at, {
            locale: null, custom_fields: { b: { c: null }, e: 'f' }, consent: { sms: null, email: 'denied' },
        }, { headers: { 'if-match': '"1"' } });
        assert.equal(patched.status, 200, patched.text);
        assert.equal(patched.body.version, 2);
        assert.equal(patched.body.locale, null);
        assert.deepEqual(patched.body.custom_fields, { a: 1, b: { d: 3 }, e: 'f' });
        assert.deepEqual(patched.body.consent, { email: 'denied', sms: 'unknown', push: 'unknown', phone: 'unknown' });
        assert.equal(patched.body.email, 'one@x.example');
        for (const answer of [
            await site.admin.patch(at, { name: 'Late' }, { headers: { 'if-match': '"1"' } }),
            await site.admin.del(at, { headers: { 'if-match': '"1"' } }),
            await site.admin.put(`${at}/tags/late`, undefined, { headers: { 'if-match': '"1"' } }),
        ]) assert.equal(answer.status, 412, answer.text);
        const same = await site.admin.patch(at, { custom_fields: { a: 1 } });
        assert.equal(same.body.version, 2);
        assert.equal((await site.admin.patch(at, { name: null })).status, 422);
        assert.equal((await site.admin.patch(at, {})).body.version, 2);
        assert.equal((await site.admin.patch(`/customers/${unknown}`, { name: 'x' })).status, 404);
        assert.equal((await site.admin.get('/customers/nonsense')).status, 404);
    });

    test('the primary address moves with `email` and with the list', async () => {
        const made = await make(site.admin, { email: 'a@x.example', phone: '+4930111111' });
        const at = `/customers/${made.id}`;
        const patch = async (body: Json): Promise<[string | null, string[]]> => {
            const { status, text, body: now } = await site.admin.patch(at, body);
            assert.equal(status, 200, text);
            return [now.email, now.emails.map((one: Json) => one.address + (one.primary ? '*' : ''))];
        };
        assert.deepEqual(await patch({ emails: [{ address: 'a@x.example' }, { address: 'b@x.example' }] }), ['a@x.example', ['a@x.example*', 'b@x.example']]);
        assert.deepEqual(await patch({ email: 'B@x.example' }), ['b@x.example', ['a@x.example', 'b@x.example*']]);
        assert.deepEqual(await patch({ email: 'c@x.example' }), ['c@x.example', ['a@x.example', 'c@x.example*']]);
        assert.deepEqual(await patch({ email: null }), ['a@x.example', ['a@x.example*']]);
        assert.deepEqual(await patch({ emails: [] }), [null, []]);
        assert.deepEqual(await patch({ email: 'd@x.example' }), ['d@x.example', ['d@x.example*']]);
        assert.equal((await site.admin.get(at)).body.phone, '+4930111111');
    });

    test('a deleted customer is gone, and comes back whole', async () => {
        const admin = await freshAdmin('Deleting');
        const made = await make(admin, { name: 'Gone Girl', tags: ['t'], external_id: 'gone' });
        assert.equal((await admin.del(`/customers/${made.id}`)).status, 204);
        assert.equal((await admin.get(`/customers/${made.id}`)).status, 404);
        assert.equal((await admin.del(`/customers/${made.id}`)).status, 404);
        assert.equal((await admin.get('/customers/external/gone')).status, 404);
        for (const query of ['', '?tag=t', '?status=new', '?q=gone', '?external_id=gone']) {
            assert.deepEqual((await admin.get(`/customers${query}`)).body.total, 0, query);
            assert.deepEqual(await names(admin, query), [], query);
        }
        assert.equal((await admin.post('/customers', { name: 'New', external_id: 'gone' })).status, 409);
        const stale = await admin.post(`/customers/${made.id}/restore`, undefined, { headers: { 'if-match': '"1"' } });
        assert.equal(stale.status, 412);
        const back = await admin.post(`/customers/${made.id}/restore`);
        assert.equal(back.status, 200, back.text);
        assert.equal(back.body.version, 3);
        assert.deepEqual((await admin.post(`/customers/${made.id}/restore`)).body, back.body);
        for (const query of ['', '?tag=t', '?status=new', '?q=gone', '?external_id=gone']) {
            assert.equal((await admin.get(`/customers${query}`)).body.total, 1, query);
            assert.deepEqual(await names(admin, query), ['Gone Girl'], query);
        }
        assert.equal((await admin.post(`/customers/${unknown}/restore`)).status, 404);
    });

    test('the external id names one customer, however often it is put', async () => {
        const first = await site.admin.put('/customers/external/put-1', { name: 'Put', tags: ['a'] });
        assert.equal(first.status, 201, first.text);
        assert.equal(first.headers.location, `/api/v1/customers/${first.body.id}`);
        const again = await site.admin.put('/customers/external/put-1', { name: 'Put', tags: ['a'] });
        assert.deepEqual([again.status, again.body], [200, first.body]);
        const changed = await site.admin.put('/customers/external/put-1', { name: 'Putt' });
        assert.deepEqual([changed.body.name, changed.body.tags, changed.body.version], ['Putt', ['a'], 2]);
        await site.admin.del(`/customers/${first.body.id}`);
        const restored = await site.admin.put('/customers/external/put-1', { name: 'Putt' });
        assert.deepEqual([restored.status, restored.body.id], [200, first.body.id]);
        const wrong = await site.admin.put('/customers/external/put-1', { name: 'x', external_id: 'put-2' });
        assert.deepEqual(faults(wrong.body), ['external_id mismatch']);
        assert.deepEqual(faults((await site.admin.put(`/customers/external/${'x'.repeat(256)}`, { name: 'x' })).body), ['external_id too_long']);
        const other = await make(site.admin, { external_id: 'put-3' });
        assert.equal((await site.admin.patch(`/customers/${other.id}`, { external_id: 'put-1' })).status, 409);
        const stale = { headers: { 'if-match': '"1"' } };
        assert.equal((await site.admin.put('/customers/external/put-1', { name: 'Lost' }, stale)).status, 412);
        const fresh = { headers: { 'if-match': restored.headers.etag as string } };
        assert.equal((await site.admin.put('/customers/external/put-1', { name: 'Kept' }, fresh)).status, 200);
        for (const tag of ['"1"', '*']) {
            const nobody = await site.admin.put('/customers/external/put-none', { name: 'x' }, { headers: { 'if-match': tag } });
            assert.equal(nobody.status, 412, 'nothing is there that could match');
        }
        const racing = await Promise.all(Array.from({ length: 8 }, (_, i) =>
            site.admin.put('/customers/external/race', { name: `Racer ${i}` })));
        assert.deepEqual(racing.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
        assert.equal(new Set(racing.map(({ body }) => body.id)).size, 1);
    });

    test('tags, owner, status and custom fields have routes of their own', async () => {
        const one = await invite(site.admin, 'agent', { name: 'One' });
        const { id } = await make(site.admin, {});
        const at = `/customers/${id}`;
        const tagged = await site.admin.put(`${at}/tags/${path('très bien/?')}`);
        assert.deepEqual([tagged.status, tagged.body.tags, tagged.body.version], [200, ['très bien/?'], 2]);
        assert.equal((await site.admin.put(`${at}/tags/${path('très bien/?')}`)).body.version, 2);
        assert.equal((await site.admin.put(`${at}/tags/${'x'.repeat(65)}`)).status, 422);
        assert.equal((await site.admin.del(`${at}/tags/${path('très bien/?')}`)).status, 204);
        assert.equal((await site.admin.del(`${at}/tags/${path('très bien/?')}`)).status, 204);
        const owned = await site.admin.put(`${at}/owner`, { owner_id: one.id });
        assert.deepEqual([owned.body.owner_id, owned.body.owner_name, owned.body.version], [one.id, 'One', 4]);
        assert.equal((await site.admin.put(`${at}/owner`, { owner_id: null })).body.owner_name, null);
        assert.deepEqual(faults((await site.admin.put(`${at}/owner`, {})).body), ['owner_id required']);
        assert.deepEqual(faults((await site.admin.put(`${at}/owner`, { owner_id: 7 })).body), ['owner_id bad_format']);
        assert.equal((await site.admin.put(`${at}/status`, { status: 'lost' })).body.status, 'lost');
        assert.deepEqual(faults((await site.admin.put(`${at}/status`, { status: 'found' })).body), ['status not_one_of']);
        const field = `${at}/custom-fields/${path('A "b"')}`;
        for (const value of [1, 'x', [1, { a: null }], { deep: true }, false]) {
            const set = await site.admin.put(field, { value });
            assert.deepEqual([set.status, set.body.custom_fields], [200, { 'A "b"': value }]);
        }
        const before = (await site.admin.get(at)).body.version;
        assert.equal((await site.admin.put(field, { value: false })).body.version, before);
        assert.equal((await site.admin.put(field, { value: null })).status, 422);
        assert.equal((await site.admin.put(field, {})).status, 422);
        assert.equal((await site.admin.put(field, { value: 'x'.repeat(65_536) })).status, 422);
        assert.equal((await site.admin.del(field)).status, 204);
        assert.equal((await site.admin.del(field)).status, 204);
        assert.deepEqual((await site.admin.get(at)).body.custom_fields, {});
        for (let i = 0; i < 50; i++) await site.admin.put(`${at}/tags/t${i}`);
        assert.deepEqual(faults((await site.admin.put(`${at}/tags/t50`)).body), ['tags too_long']);
    });

    test('notes are written, changed, listed newest first, and deleted', async () => {
        const { id } = await make(site.admin, {});
        const other = await make(site.admin, {});
        const at = `/contacts/${id}/notes`;
        const made: Json[] = [];
        for (const text of ['one', 'two\nlines', 'three']) {
            const answer = await site.admin.post(at, { text });
            assert.equal(answer.status, 201, answer.text);
            assert.equal(answer.headers.location, `/api/v1${at}/${answer.body.id}`);
            assert.equal(answer.body.created_by_name, 'admin@acme.example');
            made.push(answer.body);
        }
        const list = (await site.admin.get(`${at}?limit=2`)).body;
        assert.deepEqual(list.data.map((note: Json) => note.text), ['three', 'two\nlines']);
        assert.equal(list.total, 3);
        const rest = (await site.admin.get(`${at}?limit=2&cursor=${list.next_cursor}`)).body;
        assert.deepEqual([rest.data, rest.next_cursor], [[made[0]], null]);
        const changed = await site.admin.patch(`${at}/${made[0].id}`, { text: 'ONE' }, { headers: { 'if-match': '"1"' } });
        assert.deepEqual([changed.status, changed.body.text, changed.body.version], [200, 'ONE', 2]);
        assert.equal((await site.admin.patch(`${at}/${made[0].id}`, { text: 'x' }, { headers: { 'if-match': '"1"' } })).status, 412);
        assert.deepEqual((await site.admin.get(`${at}/${made[0].id}`)).body, changed.body);
        assert.equal((await site.admin.get(`/contacts/${other.id}/notes/${made[0].id}`)).status, 404);
        assert.equal((await site.admin.del(`/contacts/${other.id}/notes/${made[0].id}`)).status, 404);
        assert.equal((await site.admin.del(`${at}/${made[0].id}`)).status, 204);
        assert.equal((await site.admin.get(`${at}/${made[0].id}`)).status, 404);
        assert.equal((await site.admin.get(at)).body.total, 2);
        assert.deepEqual(faults((await site.admin.post(at, { text: '' })).body), ['text too_short']);
        assert.equal((await site.admin.post(`/contacts/${unknown}/notes`, { text: 'x' })).status, 404);
    });

    test('the list goes by folded name, by page, offset and cursor', async () => {
        const admin = await freshAdmin('Listing');
        const sorted = ['ahmed', 'Bob', 'Émile', 'emma', 'emma', 'Zoë', '山田'];
        for (const name of ['emma', 'Zoë', 'Bob', '山田', 'ahmed', 'Émile', 'emma']) await make(admin, { name });
        assert.deepEqual(await names(admin, ''), sorted);
        assert.deepEqual(await names(admin, '?page=2&page_size=3'), sorted.slice(3, 6));
        assert.deepEqual(await names(admin, '?limit=3&offset=5'), sorted.slice(5));
        const seen: string[] = [];
        let cursor = '';
        do {
            const { body } = await admin.get(`/customers?limit=2${cursor}`);
            assert.equal(body.total, 7);
            seen.push(...body.data.map((customer: Json) => customer.id));
            cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
        } while (cursor !== '');
        assert.equal(new Set(seen).size, 7);
        const csv = await admin.get('/customers?format=csv&limit=2');
        assert.match(csv.text.split('\r\n')[1]!, /,ahmed,/);
        assert.equal((await admin.get('/customers?colour=red')).status, 422);
    });

    test('filters combine, and each plain list keeps its total', async () => {
        const admin = await freshAdmin('Filters');
        const company = (await admin.post('/companies', { name: 'Firm' })).body;
        const owner = await invite(admin, 'agent');
        await make(admin, { name: 'A', status: 'lost', tags: ['x', 'y'], company_id: company.id, email: 'a@firm.example' });
        await make(admin, { name: 'B', status: 'lost', tags: ['x'], owner_id: owner.id, phone: '+4930111222' });
        await make(admin, { name: 'C', company_id: company.id, owner_id: owner.id, external_id: 'ext c' });
        const expected: Record<string, string[]> = {
            'status=lost': ['A', 'B'], 'tag=x': ['A', 'B'], 'tag=y': ['A'], 'tag=z': [],
            [`company_id=${company.id}`]: ['A', 'C'], [`owner_id=${owner.id}`]: ['B', 'C'],
            'status=lost&tag=y': ['A'], [`status=lost&owner_id=${owner.id}`]: ['B'],
            [`company_id=${company.id}&owner_id=${owner.id}`]: ['C'], 'email=A@FIRM.example': ['A'],
            'email=firm.example': [], 'phone=%2B49%2030%20111222': ['B'], 'phone=111222': [], 'external_id=ext%20c': ['C'],
            'external_id=ext%20c&status=lost': [], 'q=a&tag=x': ['A'], 'not_contacted_since=2020-01-01T00:00:00Z': ['A', 'B', 'C'],
            [`company_id=${unknown}`]: [],
        };
        for (const [query, found] of Object.entries(expected)) {
            const { body } = await admin.get(`/customers?${query}`);
            assert.deepEqual([query, body.data.map((customer: Json) => customer.name), body.total], [query, found, found.length]);
            assert.notEqual(body.total_capped, true);
        }
        const all = (await admin.get('/customers')).body.data;
        await admin.patch(`/customers/${all[0].id}`, { status: 'new', tags: ['y'], company_id: null, owner_id: owner.id });
        for (const [query, total] of [['status=lost', 1], ['status=new', 2], ['tag=x', 1], [`company_id=${company.id}`, 1], [`owner_id=${owner.id}`, 3]] as const)
            assert.equal((await admin.get(`/customers?${query}`)).body.total, total, query);
        assert.deepEqual(faults((await admin.get('/customers?status=friend&owner_id=x&not_contacted_since=now')).body),
            ['not_contacted_since bad_format', 'owner_id bad_format', 'status not_one_of']);
    });

    test('combined filters find by cursor what holds of the whole list', async () => {
        const admin = await freshAdmin('Combining');
        const company = (await admin.post('/companies', { name: 'Firm' })).body;
        const owner = await invite(admin, 'agent');
        const long = 'ü'.repeat(60); /* more bytes than a kept total's key may have */
        const rows = Array.from({ length: 60 }, (_, i) => ({
            name: `${['Ann', 'Ben', 'Émile'][i % 3]} ${(i * 7) % 10}`, status: i % 4 === 0 ? 'lost' : 'new', email: `p${i}@${i % 2 ? 'odd' : 'even'}.example`,
            tags: [...(i % 5 === 0 ? ['vip'] : []), ...(i % 6 === 0 ? [long] : [])], external_id: `x${i}`,
            ...(i % 3 === 0 ? { owner_id: owner.id } : {}), ...(i % 7 < 3 ? { company_id: company.id } : {}),
        }));
        const made = (await admin.post('/customers/bulk', { rows })).body;
        assert.equal(made.succeeded, 60);
        /* Names that change move their tags with them; who comes back does so as well. */
        await admin.patch(`/customers/${made.rows[0].id}`, { name: 'Zoë' });
        await admin.patch(`/customers/${made.rows[30].id}`, { name: 'Aaron', tags: ['vip', 'new'] });
        await admin.del(`/customers/${made.rows[15].id}`);
        await admin.del(`/customers/${made.rows[45].id}`);
        await admin.post(`/customers/${made.rows[45].id}/restore`);
        for (let i = 0; i < 60; i += 9)
            assert.equal((await admin.post('/interactions', {
                customer_id: made.rows[i].id, type: 'call', direction: 'outbound', subject: 'x', started_at: '2025-01-01T12:00:00Z',
            })).status, 201);
        const all = (await admin.get('/customers?limit=200')).body.data;
        assert.equal(all.length, 59);
        const holds: [string, (customer: Json) => boolean][] = [
            ['status=lost', (c) => c.status === 'lost'], ['tag=vip', (c) => c.tags.includes('vip')],
            [`tag=${path(long)}`, (c) => c.tags.includes(long)], [`owner_id=${owner.id}`, (c) => c.owner_id === owner.id],
            [`company_id=${company.id}`, (c) => c.company_id === company.id],
            ['q=even', (c) => c.email.includes('@even')], ['q=emi%20exam', (c) => c.name.startsWith('Émile')], ['external_id=x9', (c) => c.external_id === 'x9'],
            ['not_contacted_since=2024-01-01T00:00:00Z', (c) => c.last_contacted_at === null],
        ];
        for (const [i, [query, one]] of holds.entries()) {
            for (const [other, two] of holds.slice(i)) {
                if (other !== query && other.split('=')[0] === query.split('=')[0]) continue;
                const asked = other === query ? query : `${query}&${other}`;
                const expected = all.filter((customer: Json) => one(customer) && two(customer)).map(({ id }: Json) => id);
                const seen: string[] = [];
                let cursor = '';
                do {
                    const { status, body } = await admin.get(`/customers?${asked}&limit=4${cursor}`);
                    assert.deepEqual([asked, status, body.total], [asked, 200, expected.length]);
                    seen.push(...body.data.map(({ id }: Json) => id));
                    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
                } while (cursor !== '');
                assert.deepEqual([asked, seen], [asked, expected]);
                const behind = (await admin.get(`/customers?${asked}&limit=4&offset=3`)).body.data.map(({ id }: Json) => id);
                assert.deepEqual([asked, behind], [asked, expected.slice(3, 7)]);
            }
        }
    });

    test('search finds names in any script, addresses, numbers and external ids', async () => {
        const admin = await freshAdmin('Searching');
        for (const fields of [
            { name: 'Łukasz Żółć', email: 'lukasz.zolc@poczta.example' }, { name: 'ЁЛКИН Пётр', phone: '+79161234567' },
            { name: '山田太郎', external_id: 'CRM-0042' }, { name: "Siobhán O'Brien-Smith" }, { name: 'محمد علی' },
        ]) await make(admin, fields);
        const cases: Record<string, string[]> = {
            lukasz: ['Łukasz Żółć'], ZOLC: ['Łukasz Żółć'], 'zol luk': ['Łukasz Żółć'], 'luk xyz': [], poczta: ['Łukasz Żółć'],
            'lukasz.zolc@poc': ['Łukasz Żółć'], елк: ['ЁЛКИН Пётр'], ПЕТР: ['ЁЛКИН Пётр'], '+7 916 123': ['ЁЛКИН Пётр'],
            '0916-123': ['ЁЛКИН Пётр'], 太郎: ['山田太郎'], 山: ['山田太郎'], 'crm-0042': ['山田太郎'], 42: ['山田太郎'], '0042': ['山田太郎'],
            siobhan: ["Siobhán O'Brien-Smith"], obrien: ["Siobhán O'Brien-Smith"], "o'brien smith": ["Siobhán O'Brien-Smith"],
            محمد: ['محمد علی'], ukasz: [], '%': [], "'": [],
        };
        for (const [q, found] of Object.entries(cases)) {
            const { status, body, text } = await admin.get(`/customers/search?q=${path(q)}`);
            assert.equal(status, 200, text);
            assert.deepEqual([q, body.data.map((customer: Json) => customer.name), body.total], [q, found, found.length]);
        }
        assert.deepEqual(await names(admin, `?q=${path('zolc')}`), ['Łukasz Żółć']);
        assert.deepEqual(faults((await admin.get('/customers/search')).body), ['q required']);
        assert.equal((await admin.get(`/customers/search?q=${'x'.repeat(201)}`)).status, 422);
    });

    test('search walks pages by cursor in the order of names', async () => {
        const admin = await freshAdmin('Walking');
        const rows = Array.from({ length: 30 }, (_, i) => ({ name: `Max ${String.fromCharCode(65 + ((i * 7) % 26))}${i} Muster` }));
        assert.equal((await admin.post('/customers/bulk', { rows })).body.succeeded, 30);
        for (const q of ['max', 'muster max', 'm']) {
            const seen: string[] = [];
            let cursor = '';
            do {
                const { body } = await admin.get(`/customers/search?q=${path(q)}&limit=7${cursor}`);
                assert.equal(body.total, 30);
                seen.push(...body.data.map((customer: Json) => customer.name));
                cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
            } while (cursor !== '');
            assert.deepEqual(seen, rows.map(({ name }) => name).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)));
        }
    });

    test('bulk: good rows are kept, bad ones explained', async () => {
        const admin = await freshAdmin('Bulk');
        const made = await admin.post('/customers/bulk', [
            { name: 'One', external_id: '1' }, { nome: 'Two' }, { name: 'Three', external_id: '1' }, { name: 'Four', owner_id: unknown }, { name: 'Five' },
        ]);
        assert.equal(made.status, 200, made.text);
        assert.deepEqual(made.body.rows.map((row: Json) => row.status), [201, 422, 409, 404, 201]);
        assert.deepEqual([made.body.succeeded, made.body.failed], [2, 3]);
        assert.deepEqual(made.body.rows[1].errors.map((fault: Json) => `${fault.field} ${fault.code}`).sort(), ['rows[1].name required', 'rows[1].nome unknown_field']);
        assert.deepEqual(await names(admin, ''), ['Five', 'One']);
        const ids = [made.body.rows[0].id, unknown, made.body.rows[4].id];
        const owner = await invite(admin, 'agent');
        for (const [route, body] of [
            ['assign', { owner_id: owner.id }], ['tag', { add: ['a', 'b'], remove: ['c'] }], ['status', { status: 'converted' }],
        ] as const) {
            const answer = await admin.post(`/customers/bulk/${route}`, { ids, ...body });
            assert.equal(answer.status, 200, answer.text);
            assert.deepEqual(answer.body.rows.map((row: Json) => row.status), [200, 404, 200]);
        }
        for (const { owner_id, tags, status, version } of (await admin.get('/customers')).body.data)
            assert.deepEqual([owner_id, tags, status, version], [owner.id, ['a', 'b'], 'converted', 5]);
        await admin.post('/customers/bulk/tag', { ids: ids.slice(0, 1), remove: ['a'], add: ['d'] });
        assert.deepEqual(await names(admin, '?tag=d'), ['One']);
        await admin.post('/customers/bulk/assign', { ids, owner_id: null });
        assert.equal((await admin.get(`/customers?owner_id=${owner.id}`)).body.total, 0);
        assert.deepEqual(faults((await admin.post('/customers/bulk/assign', { ids })).body), ['owner_id required']);
        assert.deepEqual(faults((await admin.post('/customers/bulk/tag', { ids })).body), ['add required']);
        assert.deepEqual(faults((await admin.post('/customers/bulk/status', { ids: [] })).body), ['ids too_short', 'status required']);
    });

    test('edits at the same time all arrive, and totals agree', async () => {
        const admin = await freshAdmin('Racing');
        const { id } = await make(admin, {});
        await Promise.all(Array.from({ length: 20 }, (_, i) => admin.put(`/customers/${id}/tags/t${i}`)));
        const { tags, version } = (await admin.get(`/customers/${id}`)).body;
        assert.equal(tags.length, 20);
        assert.equal(version, 21);
        await Promise.all(Array.from({ length: 20 }, (_, i) => admin.post('/customers', { name: `N${i}`, status: i % 2 ? 'lost' : 'new' })));
        assert.equal((await admin.get('/customers')).body.total, 21);
        assert.equal((await admin.get('/customers?status=lost')).body.total, 10);
    });
});
