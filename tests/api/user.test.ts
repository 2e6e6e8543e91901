import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { addPerson, faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);

    test('an invited user has a one-time token and no password', async () => {
        const made = await site.admin.post('/users', { email: 'Ada@Example.com', name: 'Ada', role: 'agent', timezone: 'Europe/Paris', locale: 'fr-FR' });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/users/${made.body.id}`);
        assert.match(made.body.token, /^tpt_/);
        assert.ok(Date.parse(made.body.token_expires_at) > Date.now() + 6 * 86_400_000);
        assert.equal(made.body.has_password, false);
        assert.equal(made.body.active, true);
        assert.equal(made.body.email, 'Ada@Example.com');
        const shown = await site.admin.get(`/users/${made.body.id}`);
        assert.equal(shown.body.token, undefined);
        assert.equal(shown.body.locale, 'fr-FR');

        const again = await site.admin.post('/users', { email: 'ada@example.COM', role: 'agent' });
        assert.equal(again.status, 409);
        const nameless = await site.admin.post('/users', { email: 'nameless@example.com', role: 'viewer' });
        assert.equal(nameless.body.name, 'nameless@example.com');
    });

    test('every fault is named', async () => {
        const bad = await site.admin.post('/users', { email: 'nobody', name: '', role: 'king', timezone: 'Mars', locale: 'no locale', active: false, password: 'x' });
        assert.equal(bad.status, 422);
        assert.deepEqual(faults(bad.body), [
            'active read_only', 'email bad_format', 'locale bad_format', 'name too_short', 'password unknown_field',
            'role not_one_of', 'timezone bad_format'].sort());
        assert.deepEqual(faults((await site.admin.post('/users', {})).body), ['email required', 'role required']);
    });

    test('the list goes by name, with filters, page, offset and cursor', async () => {
        const other = await site.site.createTenant('List', 'zz@list.example');
        const admin = site.server.client(other.key);
        for (const name of ['Émile', 'emma', 'Bob', 'Zoë', 'ahmed']) {
            await invite(admin, 'viewer', { name, email: `${name.normalize('NFD').replace(/[^a-zA-Z]/g, '').toLowerCase()}@list.example` });
        }
        const all = (await admin.get('/users')).body;
        const names = all.data.map((user: { name: string }) => user.name);
        assert.deepEqual(names, ['ahmed', 'Bob', 'Émile', 'emma', 'Zoë', 'zz@list.example']);
        assert.equal(all.total, 6);
        const namesOf = async (query: string): Promise<string[]> =>
            (await admin.get(`/users?${query}`)).body.data.map((user: { name: string }) => user.name);
        assert.deepEqual(await namesOf('page=2&page_size=2'), ['Émile', 'emma']);
        assert.deepEqual(await namesOf('limit=2&offset=1'), ['Bob', 'Émile']);
        assert.deepEqual(await namesOf('role=admin'), ['zz@list.example']);
        assert.deepEqual(await namesOf('q=EM'), ['Émile', 'emma']);
        assert.deepEqual(await namesOf('q=zo'), ['Zoë']);
        assert.deepEqual(await namesOf('email=BOB@list.example'), ['Bob']);
        assert.deepEqual(await namesOf('active=false'), []);
        assert.equal((await admin.get('/users?role=viewer&active=true')).body.total, 5);
        const walked: string[] = [];
        let cursor: string | null = null;
        do {
            const page: Json = (await admin.get(`/users?limit=4${cursor === null ? '' : `&cursor=${cursor}`}`)).body;
            walked.push(...page.data.map((user: { name: string }) => user.name));
            cursor = page.next_cursor;
        } while (cursor !== null);
        assert.deepEqual(walked, names);
        assert.equal((await admin.get('/users?colour=red')).status, 422);
    });

    test('admins edit users, users edit themselves', async () => {
        const { user, client } = await addPerson(site.admin, 'viewer');
        const shown = await site.admin.get(`/users/${user.id}`);
        const etag = shown.headers.etag as string;
        const edited = await site.admin.patch(`/users/${user.id}`, { name: 'New Name', role: 'agent', locale: 'de' }, { headers: { 'if-match': etag } });
        assert.equal(edited.status, 200, edited.text);
        assert.equal(edited.body.role, 'agent');
        assert.equal(edited.body.version, shown.body.version + 1);
        assert.equal((await site.admin.patch(`/users/${user.id}`, { name: 'Late' }, { headers: { 'if-match': etag } })).status, 412);
        assert.equal((await site.admin.patch(`/users/${user.id}`, { email: 'ADMIN@acme.example' })).status, 409);
        assert.equal((await client.patch(`/users/${user.id}`, { name: 'Mine' })).status, 403);

        const own = await client.patch('/me', { name: 'Mine', timezone: 'Asia/Tokyo', locale: null });
        assert.equal(own.status, 200);
        assert.equal(own.body.name, 'Mine');
        assert.equal(own.body.locale, null);
        assert.deepEqual(faults((await client.patch('/me', { role: 'admin' })).body), ['role unknown_field']);
        const me = await client.get('/me');
        assert.equal(me.body.user.timezone, 'Asia/Tokyo');
        assert.equal(me.body.tenant.slug, 'acme');
    });

    test('the last active admin stays', async () => {
        const only = site.tenant.user.id;
        assert.equal((await site.admin.patch(`/users/${only}`, { role: 'agent' })).status, 409);
        assert.equal((await site.admin.post(`/users/${only}/deactivate`, {})).status, 409);

        // Two admins who demote each other at once: one of them wins.
        const { user: second, client } = await addPerson(site.admin, 'admin');
        const answers = await Promise.all([
            site.admin.patch(`/users/${second.id}`, { role: 'agent' }),
            client.patch(`/users/${only}`, { role: 'agent' }),
        ]);
        const statuses = answers.map((answer) => answer.status).sort();
        assert.equal(statuses[0], 200, JSON.stringify(statuses));
        assert.ok([403, 409].includes(statuses[1]!), JSON.stringify(statuses));
        const admins = async (asking: typeof client): Promise<number> =>
            (await asking.get('/users?role=admin&active=true')).body.total;
        assert.equal(await admins(client), 1);
        if (answers[1].status === 200) {
            assert.equal((await client.patch(`/users/${only}`, { role: 'admin' })).status, 200);
        }
    });

    test('who leaves hands over what was theirs, and is out', async () => {
        const { user: leaver, client } = await addPerson(site.admin, 'agent');
        const { user: heir } = await addPerson(site.admin, 'agent');
        const company = (await site.admin.post('/companies', { name: 'Owned Ltd', owner_id: leaver.id })).body;
        const customer = (await site.admin.post('/customers', { name: 'Owned Customer', owner_id: leaver.id })).body;
        const call = {
            customer_id: customer.id, type: 'call', direction: 'outbound', subject: 'Call', started_at: '2026-01-05T10:00:00Z',
            follow_up_required: true, follow_up_date: '2030-01-01T09:00:00Z',
        };
        const interaction = await client.post('/interactions', call);
        assert.equal(interaction.status, 201, interaction.text);

        for (const bad of [unknown, site.tenant.tenant.id]) {
            assert.equal((await site.admin.post(`/users/${leaver.id}/deactivate`, { reassign_to: bad })).status, 404);
        }
        const self = await site.admin.post(`/users/${leaver.id}/deactivate`, { reassign_to: leaver.id });
        assert.deepEqual(faults(self.body), ['reassign_to not_active']);

        const left = await site.admin.post(`/users/${leaver.id}/deactivate`, { reassign_to: heir.id });
        assert.equal(left.status, 200, left.text);
        assert.equal(left.body.active, false);
        assert.ok(left.body.deactivated_at);
        assert.equal((await client.get('/me')).status, 401, 'the key is revoked');
        assert.equal((await site.admin.get(`/customers/${customer.id}`)).body.owner_id, heir.id);
        assert.equal((await site.admin.get(`/companies/${company.id}`)).body.owner_id, heir.id);
        const again = await site.admin.post(`/users/${leaver.id}/deactivate`, {});
        assert.equal(again.status, 200);
        assert.equal(again.body.version, left.body.version);
        assert.equal((await site.admin.post(`/users/${leaver.id}/reset`)).status, 409);
        assert.equal((await site.admin.post('/keys', { user_id: leaver.id, name: 'x' })).status, 409);

        const back = await site.admin.post(`/users/${leaver.id}/reactivate`);
        assert.equal(back.body.active, true);
        assert.equal(back.body.deactivated_at, null);
        assert.equal((await client.get('/me')).status, 401, 'the key stays revoked');
    });

    test('who has very much can leave too', async () => {
        const { user: leaver } = await addPerson(site.admin, 'agent');
        const stale = { headers: { 'if-match': '"7"' } };
        assert.equal((await site.admin.post(`/users/${leaver.id}/deactivate`, {}, stale)).status, 412);
        const custom_fields = { notes: 'x'.repeat(60_000) };
        for (let portion = 0; portion < 4; portion++) {
            const rows = Array.from({ length: 150 }, (_, i) => ({ name: `Large ${portion} ${i}`, owner_id: leaver.id, custom_fields }));
            assert.equal((await site.admin.post('/customers/bulk', { rows })).body.failed, 0);
        }
        const left = await site.admin.post(`/users/${leaver.id}/deactivate`, {});
        assert.equal(left.status, 200, left.text);
        assert.equal((await site.admin.get(`/customers?owner_id=${leaver.id}`)).body.total, 0);
        assert.equal((await site.admin.post(`/users/${leaver.id}/reactivate`, undefined, stale)).status, 412);
    });

    test('the operator invites, lists, resets and deactivates', async () => {
        const made = await site.site.commandJson('user', 'invite', 'shell@acme.example', '--role', 'viewer', '--tenant', 'acme');
        assert.match(made.token, /^tpt_/);
        const list = await site.site.commandJson('user', 'list', '--tenant', 'acme');
        assert.ok(list.data.some((user: { id: string }) => user.id === made.id));
        const reset = await site.site.commandJson('user', 'reset', 'shell@acme.example', '--tenant', 'acme');
        assert.match(reset.token, /^tpt_/);
        assert.notEqual(reset.token, made.token);
        const gone = await site.site.commandJson('user', 'deactivate', 'shell@acme.example', '--tenant', 'acme');
        assert.equal(gone.active, false);
    });
});
