import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);

    test('a key is shown once and works until it is revoked', async () => {
        const made = await site.admin.post('/keys', { name: 'Nightly import', role: 'agent' });
        assert.equal(made.status, 201);
        assert.equal(made.headers.location, `/api/v1/keys/${made.body.id}`);
        assert.match(made.body.key, /^tp_[A-Za-z0-9_-]{86}$/);
        assert.equal(made.body.role, 'agent');
        assert.equal(made.body.user_id, site.tenant.user.id);

        const shown = await site.admin.get(`/keys/${made.body.id}`);
        assert.equal(shown.body.key, undefined);
        assert.equal(shown.body.revoked_at, null);
        const program = site.anonymous.withKey(made.body.key);
        assert.equal((await program.get('/me')).status, 200);
        assert.equal((await program.patch('/tenant', { name: 'X' })).status, 403, 'the key is an agent');

        assert.equal((await site.admin.del(`/keys/${made.body.id}`)).status, 204);
        assert.equal((await program.get('/me')).status, 401);
        assert.equal((await site.admin.del(`/keys/${made.body.id}`)).status, 204);
        assert.ok((await site.admin.get(`/keys/${made.body.id}`)).body.revoked_at);
    });

    test('a replayed creation does not say the secret again', async () => {
        const headers = { 'idempotency-key': 'make-a-key' };
        const first = await site.admin.post('/keys', { name: 'once' }, { headers });
        const second = await site.admin.post('/keys', { name: 'once' }, { headers });
        assert.equal(second.status, 201);
        assert.equal(second.headers['idempotent-replayed'], 'true');
        assert.equal(second.body.id, first.body.id);
        assert.equal(second.body.key, undefined);
    });

    test('a key is never more than its maker and its user', async () => {
        const { user: viewer, client } = await addPerson(site.admin, 'viewer');
        const own = await client.post('/keys', { name: 'mine' });
        assert.equal(own.status, 201);
        assert.equal(own.body.role, 'viewer');
        const higher = await client.post('/keys', { name: 'mine', role: 'admin' });
        assert.equal(higher.status, 422);
        assert.deepEqual(faults(higher.body), ['role too_high']);
        const forViewer = await site.admin.post('/keys', { user_id: viewer.id, name: 'theirs', role: 'agent' });
        assert.deepEqual(faults(forViewer.body), ['role too_high']);

        // A key of a user who is demoted sinks with them.
        const { user: manager, client: managers } = await addPerson(site.admin, 'manager');
        assert.equal((await site.admin.patch(`/users/${manager.id}`, { role: 'viewer' })).status, 200);
        const made = await managers.post('/keys', { name: 'late', role: 'manager' });
        assert.deepEqual(faults(made.body), ['role too_high']);
    });

    test('a key that has expired is no key', async () => {
        const soon = new Date(Date.now() + 1500).toISOString();
        const made = await site.admin.post('/keys', { name: 'short', expires_at: soon });
        assert.equal(made.status, 201);
        const program = site.anonymous.withKey(made.body.key);
        assert.equal((await program.get('/me')).status, 200);
        await new Promise((resolve) => setTimeout(resolve, 1700));
        assert.equal((await program.get('/me')).status, 401);
    });

    test('every fault is named', async () => {
        const bad = await site.admin.post('/keys', { name: '', role: 'king', expires_at: 'soon', user_id: 'x', key: 'tp_mine', colour: 1 });
        assert.equal(bad.status, 422);
        assert.deepEqual(faults(bad.body), [
            'colour unknown_field', 'expires_at bad_format', 'key read_only', 'name too_short',
            'role not_one_of', 'user_id bad_format']);
        const past = await site.admin.post('/keys', { name: 'old', expires_at: '2020-01-01T00:00:00Z' });
        assert.deepEqual(faults(past.body), ['expires_at in_past']);
        assert.deepEqual(faults((await site.admin.post('/keys', {})).body), ['name required']);
    });

    test('below admins, the keys of others are not there', async () => {
        const { user, client } = await addPerson(site.admin, 'manager');
        const theirs = (await site.admin.post('/keys', { name: 'admin\'s' })).body.id;
        for (const answer of [await client.get(`/keys/${theirs}`), await client.del(`/keys/${theirs}`)]) {
            assert.equal(answer.status, 404);
        }
        assert.equal((await client.post('/keys', { user_id: site.tenant.user.id, name: 'x' })).status, 403);
        assert.equal((await client.get(`/keys?user_id=${site.tenant.user.id}`)).status, 403);
        const own = await client.get('/keys');
        assert.ok(own.body.data.length > 0);
        assert.ok(own.body.data.every((key: { user_id: string }) => key.user_id === user.id));
        assert.equal(own.body.total, own.body.data.length);
        const same = await site.admin.get(`/keys?user_id=${user.id}`);
        assert.deepEqual(same.body.data, own.body.data);
        assert.equal((await site.admin.get(`/keys?user_id=${unknown}`)).body.total, 0);
        assert.equal((await site.admin.post('/keys', { user_id: unknown, name: 'x' })).status, 404);
    });

    test('the list goes by page, offset and cursor, newest first', async () => {
        const { user, client } = await addPerson(site.admin, 'agent');
        for (let i = 0; i < 6; i++) await client.post('/keys', { name: `key ${i}` });
        const all = (await client.get('/keys')).body;
        assert.equal(all.total, 7);
        const names = all.data.map((key: { name: string }) => key.name);
        assert.deepEqual(names, ['key 5', 'key 4', 'key 3', 'key 2', 'key 1', 'key 0', 'test']);
        assert.equal(all.data[0].user_name, user.name);
        const ids = all.data.map((key: { id: string }) => key.id);
        const idsOf = async (query: string): Promise<string[]> =>
            (await client.get(`/keys?${query}`)).body.data.map((key: { id: string }) => key.id);
        assert.deepEqual(await idsOf('page=2&page_size=3'), ids.slice(3, 6));
        assert.deepEqual(await idsOf('limit=2&offset=5'), ids.slice(5));
        const walked: string[] = [];
        let cursor: string | null = null;
        do {
            const page: Json = (await client.get(`/keys?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`)).body;
            walked.push(...page.data.map((key: { id: string }) => key.id));
            cursor = page.next_cursor;
        } while (cursor !== null);
        assert.deepEqual(walked, ids);
    });

    test('the operator makes, lists and revokes keys', async () => {
        const made = await site.site.commandJson('key', 'create', 'admin@acme.example', '--name', 'from the shell', '--role', 'agent');
        assert.match(made.key, /^tp_/);
        assert.equal(made.created_by, null);
        const list = await site.site.commandJson('key', 'list');
        assert.ok(list.data.some((key: { id: string }) => key.id === made.id));
        assert.equal((await site.site.command('key', 'revoke', made.id)).code, 0);
        assert.equal((await site.anonymous.withKey(made.key).get('/me')).status, 401);
    });
});
