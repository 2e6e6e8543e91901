// Customers who are the same person: likely duplicates, merging, its undoing, and the merged id
// as an alias wherever an id of a customer goes (SPEC.md §3).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { holdOpen, psql } from '../kit/postgres.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const mounts = ['customers', 'contacts', 'leads'];

forEachStore((store) => {
    const site = useServer(store);

    const ok = async (method: string, path: string, body?: Json, status?: number): Promise<Json> => {
        const answer = await site.admin.request(method, path, body);
        assert.ok(status === undefined ? answer.status < 300 : answer.status === status, `${method} ${path}: ${answer.status} ${answer.text}`);
        return answer.body;
    };
    const person = (fields: Json): Promise<Json> => ok('POST', '/customers', fields);
    const show = (id: string): Promise<Json> => ok('GET', `/customers/${id}`);
    const merge = (id: string, merged_id: string): Promise<Json> => ok('POST', `/customers/${id}/merge`, { merged_id });
    const undo = (merged: Json): Promise<Json> => ok('POST', `/customers/${merged.customer_id}/merges/${merged.id}/undo`);
    const call = (customer_id: string, fields: Json = {}): Promise<Json> =>
        ok('POST', '/interactions', { customer_id, type: 'call', direction: 'outbound', subject: 'A call', started_at: '2026-01-05T10:00:00Z', ...fields });
    const events = (id: string): Promise<Json> => ok('GET', `/contacts/${id}/events?limit=500`);

    /** What lists and totals say of a customer, and that each list is as long as its total. */
    const holdings = async (id: string): Promise<Json> => {
        const held: Json = {};
        for (const [name, path] of [['interactions', `/interactions/customer/${id}`], ['notes', `/customers/${id}/notes`], ['sessions', `/customers/${id}/sessions`]] as const) {
            const list = await ok('GET', `${path}?limit=200`);
            assert.equal(list.total, list.data.length, name);
            held[name] = list.data.map((one: Json) => one.id).sort();
        }
        const { interactions } = held;
        const filtered = await ok('GET', `/interactions?customer_id=${id}&limit=200`);
        assert.deepEqual([filtered.total, filtered.data.map((one: Json) => one.id).sort()], [interactions.length, interactions]);
        const timeline = await events(id);
        assert.equal(timeline.total, timeline.events.length);
        held.events = timeline.events.map((one: Json) => one.id).sort();
        const client = await ok('GET', `/contacts/${id}/events?view=client&limit=500`);
        assert.equal(client.total, client.events.length);
        return held;
    };
    /** A record without what every write changes. */
    const settled = ({ version: _, updated_at: __, ...rest }: Json): Json => rest;

    test('likely duplicates, with the reasons', async () => {
        const anna = await person({ name: 'Ánna Maria  Müller', emails: [{ address: 'anna@one.example' }, { address: 'am@two.example' }], phone: '+4930111222' });
        const all = await person({ name: 'müller, ANNA Maria', email: 'AM@two.example', phone: '+4930111222' });
        const mail = await person({ name: 'A. M.', emails: [{ address: 'x@y.example' }, { address: 'ANNA@one.example' }] });
        const phone = await person({ name: 'Reception', phones: [{ number: '+4930111222' }] });
        const name = await person({ name: 'Anna Maria Muller', external_id: 'else' });
        await person({ name: 'Anna Müller' });
        await person({ name: 'Anna Maria Müllerin', email: 'anna@one.example.org' });
        const gone = await person({ name: 'Anna Maria Müller', email: 'anna@one.example' });
        await ok('DELETE', `/customers/${gone.id}`);
        for (const mount of mounts) {
            const found = await ok('GET', `/${mount}/${anna.id}/duplicates`);
            assert.equal(found.customer_id, anna.id);
            assert.deepEqual(found.data.map((one: Json) => [one.id, Number(one.score.toFixed(2))]),
                [[all.id, 0.97], [mail.id, 0.8], [phone.id, 0.7], [name.id, 0.5]]);
            assert.deepEqual(found.data.map((one: Json) => one.reasons), [
                [{ kind: 'email', value: 'am@two.example' }, { kind: 'phone', value: '+4930111222' }, { kind: 'name', value: 'Ánna Maria  Müller' }],
                [{ kind: 'email', value: 'anna@one.example' }],
                [{ kind: 'phone', value: '+4930111222' }],
                [{ kind: 'name', value: 'Ánna Maria  Müller' }],
            ]);
        }
        await merge(all.id, mail.id);
        assert.deepEqual((await ok('GET', `/customers/${anna.id}/duplicates`)).data.map((one: Json) => one.id), [all.id, phone.id, name.id]);
        assert.deepEqual((await ok('GET', `/customers/${(await person({ name: '😀' })).id}/duplicates`)).data, []);
        assert.equal((await site.admin.get(`/customers/${unknown}/duplicates`)).status, 404);
        assert.equal((await site.admin.get(`/customers/${gone.id}/duplicates`)).status, 404);
    });

    test('one record of two', async () => {
        const company = await ok('POST', '/companies', { name: 'Both Ltd' });
        const { user } = await addPerson(site.admin, 'agent');
        const left = await person({
            name: 'Berta', external_id: 'left', email: 'b@left.example', tags: ['vip', 'both'], status: 'qualified', locale: 'de-DE',
            custom_fields: { plan: 'gold', 'a"b': [1, { c: null }] }, consent: { email: 'granted', sms: 'granted', push: 'denied' },
        });
        const other = await person({
            name: 'Bertha', external_id: 'right', emails: [{ address: 'B@LEFT.example' }, { address: 'b@right.example', label: 'work', primary: true }],
            phones: [{ number: '+4930333', label: 'desk' }, { number: '+4930444', primary: true }], tags: ['both', 'new'],
            custom_fields: { plan: 'silver', seats: 3 }, consent: { email: 'denied', sms: 'unknown', push: 'granted', phone: 'granted' },
            locale: 'fr-FR', timezone: 'Europe/Paris', company_id: company.id, owner_id: user.id,
        });
        const totals = async (): Promise<Json> => Promise.all(['', '?tag=vip', '?tag=both', '?tag=new', '?status=new', '?status=qualified', `?company_id=${company.id}`, `?owner_id=${user.id}`]
            .map(async (query) => {
                const list = await ok('GET', `/customers${query}${query ? '&' : '?'}limit=200`);
                assert.equal(list.total, list.data.length, query);
                return list.total;
            }));
        const [all, ...some] = await totals();
        const merged = await merge(left.id, other.id);
        assert.deepEqual([merged.customer_id, merged.customer_name, merged.merged_id, merged.merged_name, merged.merged_by_name, merged.undone_at],
            [left.id, 'Berta', other.id, 'Bertha', 'admin@acme.example', null]);
        assert.equal(Date.parse(merged.undo_until) - Date.parse(merged.merged_at), 86_400_000);
        const both = await show(left.id);
        assert.deepEqual(settled(both), settled({
            ...left,
            emails: [{ address: 'b@left.example', label: null, primary: true }, { address: 'b@right.example', label: 'work', primary: false }],
            phones: [{ number: '+4930333', label: 'desk', primary: false }, { number: '+4930444', label: null, primary: true }],
            phone: '+4930444', tags: ['vip', 'both', 'new'], custom_fields: { plan: 'gold', 'a"b': [1, { c: null }], seats: 3 },
            consent: { email: 'denied', sms: 'unknown', push: 'denied', phone: 'unknown' },
            timezone: 'Europe/Paris', company_id: company.id, company_name: 'Both Ltd', owner_id: user.id, owner_name: user.name,
        }));
        assert.equal(both.version, left.version + 1);
        // berta had neither company nor owner; of those who had the tag `both` there is one less
        assert.deepEqual(await totals(), [all - 1, some[0], some[1] - 1, some[2], some[3] - 1, some[4], some[5], some[6]]);
        for (const q of ['b@right.example', '+4930444', 'berta']) assert.deepEqual((await ok('GET', `/customers/search?q=${encodeURIComponent(q)}`)).data.map((one: Json) => one.id), [left.id]);
        assert.equal((await ok('GET', '/customers/search?q=bertha')).total, 0);

        const back = await undo(merged);
        assert.ok(back.undone_at !== null);
        assert.deepEqual(settled(await show(left.id)), settled(left));
        assert.deepEqual(settled(await show(other.id)), settled(other));
        assert.deepEqual(await totals(), [all, ...some]);
        assert.deepEqual((await ok('GET', '/customers/search?q=bertha')).data.map((one: Json) => one.id), [other.id]);
        const again = await site.admin.post(`/customers/${left.id}/merges/${merged.id}/undo`);
        assert.deepEqual([again.status, again.body.detail], [409, 'The merge was undone already.']);
    });

    /** Two with a history of each kind. */
    const pair = async (): Promise<{ a: Json; b: Json; of: Json }> => {
        const a = await person({ name: 'Carl' });
        const b = await person({ name: 'Karl', external_id: `karl-${Math.random()}` });
        const of: Json = {};
        for (const [key, who] of [['a', a], ['b', b]] as const) {
            const session = await ok('POST', '/sessions', { customer_id: who.id });
            of[key] = {
                session,
                call: await call(who.id, { started_at: key === 'a' ? '2026-01-05T10:00:00Z' : '2026-02-05T10:00:00Z', session_id: session.id }),
                answer: await call(who.id, { type: 'email', direction: 'inbound', started_at: '2026-03-05T10:00:00Z' }),
                planned: await call(who.id, { type: 'meeting', started_at: '2040-01-05T10:00:00Z', follow_up_required: true, follow_up_date: '2040-02-01T00:00:00Z' }),
                removed: await call(who.id),
                note: await ok('POST', `/customers/${who.id}/notes`, { text: `Of ${key}` }),
            };
            await ok('DELETE', `/interactions/${of[key].removed.id}`);
        }
        return { a: await show(a.id), b: await show(b.id), of };
    };

    test('what moves: rows, totals, timelines, the summary', async () => {
        const { a, b, of } = await pair();
        const before = [await holdings(a.id), await holdings(b.id)];
        const merged = await merge(a.id, b.id);
        const now = await holdings(a.id);
        for (const kind of ['interactions', 'notes', 'sessions']) assert.deepEqual(now[kind], [...before[0][kind], ...before[1][kind]].sort(), kind);
        const both = await show(a.id);
        assert.deepEqual([both.contact_count, both.last_contacted_at, both.last_contact_method, both.last_response_at],
            [2, '2026-02-05T10:00:00Z', 'call', '2026-03-05T10:00:00Z']);
        for (const key of ['call', 'planned']) assert.deepEqual([(await ok('GET', `/interactions/${of.b[key].id}`)).customer_id, (await ok('GET', `/interactions/${of.b[key].id}`)).customer_name], [a.id, 'Carl']);
        assert.equal((await ok('GET', `/sessions/${of.b.session.id}`)).customer_id, a.id);

        const timeline = await events(a.id);
        const [told] = timeline.events.filter((one: Json) => one.event_type === 'contact_merged');
        assert.deepEqual([told.category, told.contact_id, told.subject_type, told.subject_id], ['general', a.id, 'customer', b.id]);
        assert.deepEqual([told.payload.customer_id, told.payload.customer_name, told.payload.merged_id, told.payload.merged_name, told.payload.merge_id],
            [a.id, 'Carl', b.id, 'Karl', merged.id]);
        assert.equal(timeline.total, before[0].events.length + before[1].events.length + 1);
        // the contact stays as written
        for (const id of before[1].events) assert.equal(timeline.events.find((one: Json) => one.id === id).contact_id, b.id);

        // a deleted one that is restored is the survivor's
        assert.equal((await ok('POST', `/interactions/${of.b.removed.id}/restore`)).customer_id, a.id);
        assert.equal((await show(a.id)).contact_count, 3);
        await ok('DELETE', `/interactions/${of.b.removed.id}`);

        // since the merge: one of each stays with the survivor, by whatever id it came
        const added = [await call(b.id, { started_at: '2026-04-05T10:00:00Z' }), await ok('POST', `/customers/${b.id}/notes`, { text: 'Since' }), await ok('POST', '/sessions', { customer_id: b.id })];
        assert.deepEqual(added.map((one) => one.customer_id), [a.id, a.id, a.id]);
        await ok('PATCH', `/customers/${b.id}/notes/${of.b.note.id}`, { text: 'Edited since' });
        const joined = await holdings(a.id);
        await undo(merged);
        const after = [await holdings(a.id), await holdings(b.id)];
        ['interactions', 'notes', 'sessions'].forEach((kind, i) => {
            assert.deepEqual(after[0][kind], [...before[0][kind], added[i].id].sort(), kind);
            assert.deepEqual(after[1][kind], before[1][kind], kind);
        });
        assert.deepEqual(before[1].events.filter((id: string) => !after[1].events.includes(id)), []);
        assert.equal(after[1].events.length, before[1].events.length + 1);
        assert.equal(after[0].events.length + after[1].events.length, joined.events.length + 2);
        for (const id of [a.id, b.id]) assert.equal((await events(id)).events.filter((one: Json) => one.event_type === 'contact_unmerged').length, 1);
        const [carl, karl] = [await show(a.id), await show(b.id)];
        assert.deepEqual([carl.contact_count, carl.last_contacted_at], [2, '2026-04-05T10:00:00Z']);
        assert.deepEqual(settled(karl), settled(b));
        assert.equal((await ok('GET', `/customers/${b.id}/notes/${of.b.note.id}`)).text, 'Edited since');
        assert.equal((await ok('POST', `/interactions/${of.b.removed.id}/restore`)).customer_id, b.id);
    });

    test('undone after edits: what was changed since stays', async () => {
        const left = await person({ name: 'Dora', tags: ['old'], custom_fields: { kept: 1, plan: 'gold' }, email: 'd@left.example' });
        const other = await person({ name: 'Dorah', tags: ['theirs', 'gone'], custom_fields: { seats: 3, more: 1 }, email: 'd@right.example', phone: '+4930555', timezone: 'Europe/Paris', locale: 'fr-FR' });
        const merged = await merge(left.id, other.id);
        await ok('PATCH', `/customers/${left.id}`, { name: 'Dora Since', timezone: 'Europe/Rome', custom_fields: { seats: 4, since: true }, emails: [{ address: 'd@left.example' }, { address: 'd@right.example', primary: true }, { address: 'd@since.example' }] });
        await ok('PUT', `/customers/${left.id}/tags/since`);
        await ok('DELETE', `/customers/${left.id}/tags/gone`);
        await ok('PUT', `/customers/${left.id}/status`, { status: 'lost' });
        await undo(merged);
        const now = await show(left.id);
        assert.deepEqual([now.name, now.status, now.timezone, now.locale, now.phone, now.phones], ['Dora Since', 'lost', 'Europe/Rome', null, null, []]);
        assert.deepEqual(now.tags, ['old', 'since']);
        assert.deepEqual(now.custom_fields, { kept: 1, plan: 'gold', seats: 4, since: true });
        assert.deepEqual([now.email, now.emails.map((one: Json) => [one.address, one.primary])], ['d@left.example', [['d@left.example', true], ['d@since.example', false]]]);
        assert.deepEqual(settled(await show(other.id)), settled(other));
    });

    test('the merged id leads to the other, wherever it stands, and so do chains', async () => {
        const [a, b, c] = [await person({ name: 'Emil A', external_id: 'emil-a' }), await person({ name: 'Emil B', external_id: 'emil-b' }), await person({ name: 'Emil C', external_id: 'emil-c' })];
        await merge(b.id, c.id);
        await merge(a.id, b.id);
        for (const alias of [b, c]) {
            for (const mount of mounts) {
                assert.equal((await ok('GET', `/${mount}/${alias.id}`)).id, a.id);
                assert.equal((await ok('PATCH', `/${mount}/${alias.id}`, { locale: 'de-DE' })).id, a.id);
                assert.equal((await ok('PUT', `/${mount}/${alias.id}/tags/${mount}`)).id, a.id);
                assert.equal((await ok('PUT', `/${mount}/${alias.id}/custom-fields/x`, { value: mount })).id, a.id);
                assert.equal((await ok('PUT', `/${mount}/${alias.id}/status`, { status: 'new' })).id, a.id);
                assert.equal((await ok('PUT', `/${mount}/${alias.id}/owner`, { owner_id: null })).id, a.id);
                assert.equal((await ok('POST', `/${mount}/${alias.id}/restore`)).id, a.id);
                const note = await ok('POST', `/${mount}/${alias.id}/notes`, { text: 'Here' });
                assert.equal((await ok('GET', `/${mount}/${alias.id}/notes/${note.id}`)).customer_id, a.id);
                await ok('DELETE', `/${mount}/${alias.id}/notes/${note.id}`, undefined, 204);
                assert.deepEqual((await ok('GET', `/${mount}/${alias.id}/notes`)).data, []);
                assert.equal((await ok('GET', `/${mount}/${alias.id}/duplicates`)).customer_id, a.id);
                assert.equal((await ok('GET', `/${mount}/${alias.id}/merges`)).data[0].customer_id, a.id);
                assert.equal((await ok('GET', `/${mount}/${alias.id}/sessions`)).total, (await ok('GET', `/customers/${a.id}/sessions`)).total);
                assert.equal((await ok('GET', `/external/${alias.external_id}`.replace(/^/, `/${mount}`))).id, a.id);
            }
            assert.equal((await call(alias.id)).customer_id, a.id);
            const rows = await ok('POST', '/interactions/bulk', [{ customer_id: alias.id, type: 'call', direction: 'outbound', subject: 'Bulk', started_at: '2026-01-05T10:00:00Z' }]);
            assert.equal((await ok('GET', `/interactions/${rows.rows[0].id}`)).customer_id, a.id);
            for (const path of ['/customers/bulk/tag', '/customers/bulk/assign', '/customers/bulk/status']) {
                const bulk = await ok('POST', path, { ids: [alias.id], ...(path.endsWith('tag') ? { add: ['bulk'] } : path.endsWith('assign') ? { owner_id: null } : { status: 'lost' }) });
                assert.deepEqual([bulk.succeeded, bulk.failed], [1, 0], path);
            }
            const put = await ok('PUT', `/customers/external/${alias.external_id}`, { name: 'Emil', external_id: alias.external_id }, 200);
            assert.deepEqual([put.id, put.external_id], [a.id, 'emil-a']);
            assert.equal((await site.admin.put(`/customers/external/${alias.external_id}`, { name: 'Emil' }, { headers: { 'if-match': `"${put.version}"` } })).status, 200);
            assert.deepEqual(await holdings(alias.id), await holdings(a.id));
        }
        // the alias of a record that is deleted is not there either, until it is restored
        await ok('DELETE', `/customers/${c.id}`, undefined, 204);
        for (const one of [a, b, c]) assert.equal((await site.admin.get(`/customers/${one.id}`)).status, 404);
        assert.equal((await ok('POST', `/customers/${c.id}/restore`)).id, a.id);
        assert.equal((await show(b.id)).id, a.id);
    });

    test('merges under merges', async () => {
        const [a, b, c, d] = [await person({ name: 'Fritz A' }), await person({ name: 'Fritz B' }), await person({ name: 'Fritz C' }), await person({ name: 'Fritz D' })];
        const first = await merge(b.id, c.id);
        const second = await merge(b.id, d.id);
        // naming one that is merged merges whom it leads to
        const third = await merge(a.id, c.id);
        assert.deepEqual([third.customer_id, third.merged_id], [a.id, b.id]);
        for (const path of [`/customers/${b.id}/merges/${first.id}/undo`, `/customers/${a.id}/merges/${first.id}/undo`]) {
            const refused = await site.admin.post(path);
            assert.deepEqual([refused.status, refused.body.detail], [409, 'A newer merge of the same customer has to be undone first.'], path);
        }
        await undo(third);
        assert.equal((await show(c.id)).id, b.id);
        const list = await ok('GET', `/customers/${b.id}/merges`);
        assert.deepEqual([list.total, list.data.map((one: Json) => one.id)], [2, [second.id, first.id]]);
        const page = await ok('GET', `/customers/${b.id}/merges?limit=1`);
        assert.deepEqual((await ok('GET', `/customers/${b.id}/merges?limit=1&cursor=${page.next_cursor}`)).data.map((one: Json) => one.id), [first.id]);
        assert.equal((await site.admin.post(`/customers/${b.id}/merges/${first.id}/undo`)).status, 409);
        await undo(second);
        await undo(first);
        for (const one of [a, b, c, d]) assert.deepEqual(settled(await show(one.id)), settled(one));
        assert.deepEqual((await ok('GET', `/customers/${b.id}/merges/${first.id}`)).merged_id, c.id);
        // and once more, as if nothing had been
        const again = await merge(b.id, c.id);
        assert.equal((await show(c.id)).id, b.id);
        await undo(again);
        assert.equal((await show(c.id)).id, c.id);
    });

    test('what is refused', async () => {
        const [a, b, c] = [await person({ name: 'Gina' }), await person({ name: 'Gino' }), await person({ name: 'Gini' })];
        const refused = async (id: string, body: Json, status: number, client: Client = site.admin, options = {}): Promise<Json> => {
            const answer = await client.post(`/customers/${id}/merge`, body, options);
            assert.equal(answer.status, status, answer.text);
            return answer.body;
        };
        assert.deepEqual(faults(await refused(a.id, {}, 422)), ['merged_id required']);
        assert.deepEqual(faults(await refused(a.id, { merged_id: 'x', more: 1 }, 422)), ['merged_id bad_format', 'more unknown_field']);
        assert.deepEqual(faults(await refused(a.id, { merged_id: a.id }, 422)), ['merged_id same']);
        assert.equal((await refused(a.id, { merged_id: unknown }, 404)).detail, 'There is no such record: merged_id.');
        assert.equal((await refused(unknown, { merged_id: a.id }, 404)).detail, 'There is no such record.');
        const { key } = await site.site.createTenant('Else', 'admin@else.example');
        const theirs = (await site.server.client(key).post('/customers', { name: 'Theirs' })).body;
        assert.equal((await refused(a.id, { merged_id: theirs.id }, 404)).detail, 'There is no such record: merged_id.');
        assert.equal((await refused(theirs.id, { merged_id: a.id }, 404)).detail, 'There is no such record.');
        await refused(a.id, { merged_id: b.id }, 412, site.admin, { headers: { 'if-match': '"7"' } });
        for (const role of ['viewer', 'agent'] as const) await refused(a.id, { merged_id: b.id }, 403, (await addPerson(site.admin, role)).client);
        const manager = (await addPerson(site.admin, 'manager')).client;
        const merged = await manager.post(`/customers/${a.id}/merge`, { merged_id: b.id }, { headers: { 'if-match': '"1"' } });
        assert.equal(merged.status, 200, merged.text);
        assert.equal((await refused(a.id, { merged_id: b.id }, 409)).detail, 'Both ids name the same customer already.');
        assert.equal((await refused(b.id, { merged_id: a.id }, 409)).detail, 'Both ids name the same customer already.');
        const undoing = `/customers/${a.id}/merges/${merged.body.id}/undo`;
        assert.equal((await manager.post(undoing, undefined, { headers: { 'if-match': '"1"' } })).status, 412);
        assert.equal((await site.admin.post(`/customers/${c.id}/merges/${merged.body.id}/undo`)).status, 404);
        assert.equal((await site.admin.post(`/customers/${a.id}/merges/${unknown}/undo`)).status, 404);
        assert.equal((await site.server.client(key).post(undoing)).status, 404);
        assert.equal((await manager.post(undoing, undefined, { headers: { 'if-match': '"2"' } })).status, 200);

        const many = (n: number, what: string): Json => Array.from({ length: n }, (_, i) => ({ address: `${what}${i}@many.example` }));
        const full = [await person({ name: 'Many', emails: many(12, 'a') }), await person({ name: 'More', emails: many(9, 'b') })];
        assert.equal((await refused(full[0].id, { merged_id: full[1].id }, 409)).detail, 'Together they have more than 20 e-mail addresses.');
        const tags = (n: number, what: string): Json => Array.from({ length: n }, (_, i) => `${what}${i}`);
        const tagged = [await person({ name: 'Many', tags: tags(30, 'a') }), await person({ name: 'More', tags: tags(21, 'b') })];
        assert.equal((await refused(tagged[0].id, { merged_id: tagged[1].id }, 409)).detail, 'Together they have more than 50 tags.');
        const long = [await person({ name: 'Long', custom_fields: { a: 'x'.repeat(40_000) } }), await person({ name: 'Longer', custom_fields: { b: 'x'.repeat(40_000) } })];
        await refused(long[0].id, { merged_id: long[1].id }, 409);
        for (const one of [...full, ...tagged, ...long]) assert.deepEqual(await show(one.id), one);
        await ok('DELETE', `/customers/${c.id}`);
        await refused(a.id, { merged_id: c.id }, 404);
        await refused(c.id, { merged_id: a.id }, 404);
    });

    test('races: crosswise merges, and writes meanwhile', async () => {
        for (let round = 0; round < 5; round++) {
            const [a, b] = [await person({ name: `Hans ${round}` }), await person({ name: `Hanns ${round}` })];
            await Promise.all([a, b].map((one) => call(one.id)));
            const [one, other, ...writes] = await Promise.all([
                site.admin.post(`/customers/${a.id}/merge`, { merged_id: b.id }),
                site.admin.post(`/customers/${b.id}/merge`, { merged_id: a.id }),
                ...[a, b, a, b].flatMap((who) => [
                    site.admin.post('/interactions', { customer_id: who.id, type: 'call', direction: 'outbound', subject: 'Meanwhile', started_at: '2026-01-06T10:00:00Z' }),
                    site.admin.post(`/customers/${who.id}/notes`, { text: 'Meanwhile' }),
                    site.admin.put(`/customers/${who.id}/tags/meanwhile`),
                ]),
            ]);
            assert.deepEqual([one!.status, other!.status].sort(), [200, 409], `${one!.text} ${other!.text}`);
            for (const write of writes) assert.ok(write.status < 300, write.text);
            const survivor = await show(a.id);
            assert.deepEqual(await show(b.id), survivor);
            assert.equal(survivor.contact_count, 6);
            assert.deepEqual(survivor.tags, ['meanwhile']);
            const held = await holdings(survivor.id);
            assert.deepEqual([held.interactions.length, held.notes.length], [6, 4]);
            const merged = (one!.status === 200 ? one : other)!.body;
            const undone = await Promise.all([0, 1].map(() => site.admin.post(`/customers/${survivor.id}/merges/${merged.id}/undo`)));
            assert.deepEqual(undone.map((answer) => answer.status).sort(), [200, 409]);
            const [x, y] = [await holdings(a.id), await holdings(b.id)];
            assert.equal(x.interactions.length + y.interactions.length, 6);
            assert.equal((await show(a.id)).contact_count, x.interactions.length);
            assert.equal((await show(b.id)).contact_count, y.interactions.length);
        }
    });

    if (store === 'sqlite') return; // where one writes at a time

    /** `write` meets a transaction that did `sql` and is not committed yet, and waits for it; `look` does so then. */
    const meanwhile = async <T>(sql: string, write: () => Promise<T>, look?: () => Promise<void>): Promise<T> => {
        const url = site.site.databaseUrl!;
        const other = await holdOpen(url, sql);
        const written = write();
        for (const until = Date.now() + 10_000; ; await sleep(5)) {
            if (await psql(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") !== '0') break;
            assert.ok(Date.now() < until, 'it waits for nothing');
        }
        try {
            await look?.();
        } finally {
            await other.commit();
        }
        return written;
    };

    test('an event that expires while it moves leaves the totals right', async () => {
        const [a, b] = [await person({ name: 'Uta' }), await person({ name: 'Ute' })];
        /** What the task does that takes it out of the totals. */
        const expire = (event: Json, owner: string): string => `UPDATE contact_events SET expired = true WHERE id = '${event.id}';
            UPDATE kept_counts SET n = n - 1 WHERE name IN ('events.timeline:${owner}', 'events.client:${owner}') AND shard = 0`;
        const shown = (): Promise<Json> => ok('POST', '/contact-events', {
            contact_id: b.id, event_type: 'order_shipped', category: 'tracking', visible_to_client: true, expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        });
        const clientCount = async (id: string): Promise<number> => (await ok('GET', `/contacts/${id}/events/count?view=client`)).count;
        const [first, second] = [await shown(), await shown(), await shown()];
        const merged = await meanwhile(expire(first, b.id), () => merge(a.id, b.id));
        assert.equal(await clientCount(a.id), 2);
        await holdings(a.id);
        await meanwhile(expire(second, a.id), () => undo(merged));
        assert.deepEqual([await clientCount(a.id), await clientCount(b.id)], [0, 1]);
        for (const one of [a, b]) await holdings(one.id);
    });

    test('a batch locks whom its ids lead to, in one order, before it writes', async () => {
        const [first, alias, last] = [await person({ name: 'Eva' }), await person({ name: 'Ewa' }), await person({ name: 'Zoe' })];
        await merge(first.id, alias.id);
        const rows = [last, alias].map((who) => ({
            customer_id: who.id, type: 'call', direction: 'outbound', subject: 'A call', started_at: '2026-01-05T10:00:00Z',
        }));
        const lock = (id: string): string => `SELECT id FROM customers WHERE id = '${id}' FOR NO KEY UPDATE`;
        const made = await meanwhile(lock(first.id), () => ok('POST', '/interactions/bulk', rows), async () => {
            await psql(site.site.databaseUrl!, `${lock(last.id)} NOWAIT`); // who comes later is free until then
        });
        assert.deepEqual(made.rows.map((row: Json) => row.status), [201, 201]);
    });

    test('what falls due is taken with its customer locked', async () => {
        const who = await person({ name: 'Ina' });
        const planned = await call(who.id, { started_at: new Date(Date.now() + 3_600_000).toISOString() });
        const row = `interaction_id = '${planned.id}'`;
        await meanwhile(`SELECT id FROM customers WHERE id = '${who.id}' FOR NO KEY UPDATE`,
            () => psql(site.site.databaseUrl!, `UPDATE planned_touches SET started_at = now() WHERE ${row}`),
            async () => void await psql(site.site.databaseUrl!, `SELECT 1 FROM planned_touches WHERE ${row} FOR UPDATE NOWAIT`));
        for (const until = Date.now() + 15_000; (await show(who.id)).contact_count !== 1; await sleep(20)) {
            assert.ok(Date.now() < until, 'it is not counted');
        }
    });

    test('who is merged while an alias is followed to them is followed further', async () => {
        for (const [path, body] of [['/customers/ID/notes', { text: 'A note' }], ['/interactions', { customer_id: 'ID', type: 'call', direction: 'inbound', subject: 'A call', started_at: '2026-01-05T10:00:00Z' }]] as const) {
            const [a, b, c] = [await person({ name: 'Ada' }), await person({ name: 'Adda' }), await person({ name: 'Addy' })];
            await merge(b.id, a.id);
            const wanted = JSON.parse(JSON.stringify(body).replace('ID', a.id)) as Json;
            const written = await meanwhile(`UPDATE customers SET deleted_at = now(), merged_into = '${c.id}' WHERE id = '${b.id}'`, () => ok('POST', path.replace('ID', a.id), wanted));
            assert.equal(written.customer_id ?? c.id, c.id);
            const held = await holdings(c.id);
            assert.deepEqual([...held.notes, ...held.interactions], [written.id]);
        }
    });
});
