// One record under three names: customers, contacts and leads have the same routes and the
// same answers (SPEC.md §1).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const mounts = ['/customers', '/contacts', '/leads'];

/** What must be alike under all names: everything but the times, the ids and the place. */
function plain(body: Json): Json {
    return JSON.parse(JSON.stringify(body, (name, value) =>
        /^(id|.*_at|undo_until|external_id|request_id)$/.test(name) ? undefined : value));
}

forEachStore((store) => {
    const site = useServer(store);

    test('the story of a person is the same under each name', async () => {
        const stories: Json[] = [];
        for (const mount of mounts) {
            const { key } = await site.site.createTenant(`Of ${mount.slice(1)}`, 'admin@acme.example');
            const boss = site.server.client(key);
            const { id: user } = await invite(boss, 'agent', { name: 'Olga', email: 'olga@acme.example' });
            const told: Json[] = [];
            const say = async (method: string, path: string, status: number, body?: Json): Promise<Json> => {
                const answer = await boss.request(method, `${mount}${path}`, body);
                assert.equal(answer.status, status, `${method} ${mount}${path}: ${answer.text}`);
                if (answer.headers.location !== undefined) {
                    assert.equal(answer.headers.location.replace(/\/[^/]+$/, ''), `/api/v1${mount}${path.replace(/\/external\/.*/, '')}`);
                }
                told.push([method, answer.headers.etag ?? null, plain(answer.body ?? null)]);
                return answer.body;
            };

            const { id } = await say('POST', '', 201, { name: 'Anna Müller', email: 'anna@people.example', tags: ['new'] });
            await say('GET', `/${id}`, 200);
            await say('PATCH', `/${id}`, 200, { locale: 'de-DE', custom_fields: { plan: 'gold' } });
            await say('PUT', '/external/key-1', 201, { name: 'Bert' });
            await say('PUT', '/external/key-1', 200, { name: 'Berta' });
            await say('GET', '/external/key-1', 200);
            await say('PUT', `/${id}/tags/vip`, 200);
            await say('DELETE', `/${id}/tags/new`, 204);
            await say('PUT', `/${id}/custom-fields/seats`, 200, { value: 12 });
            await say('DELETE', `/${id}/custom-fields/plan`, 204);
            await say('PUT', `/${id}/owner`, 200, { owner_id: user });
            await say('PUT', `/${id}/status`, 200, { status: 'qualified' });
            const note = await say('POST', `/${id}/notes`, 201, { text: 'Call after five' });
            await say('GET', `/${id}/notes`, 200);
            await say('GET', `/${id}/notes/${note.id}`, 200);
            await say('PATCH', `/${id}/notes/${note.id}`, 200, { text: 'Call after six' });
            await say('DELETE', `/${id}/notes/${note.id}`, 204);
            await say('POST', '/bulk', 200, [{ name: 'Carl' }, { name: '' }]);
            await say('POST', '/bulk/assign', 200, { ids: [id], owner_id: null });
            await say('POST', '/bulk/tag', 200, { ids: [id], add: ['a', 'b'], remove: ['vip'] });
            await say('POST', '/bulk/status', 200, { ids: [id], status: 'lost' });
            const twin = await say('POST', '', 201, { name: 'Anna Mueller', email: 'anna@people.example' });
            await say('GET', `/${id}/duplicates`, 200);
            const merge = await say('POST', `/${id}/merge`, 200, { merged_id: twin.id });
            await say('GET', `/${id}/merges`, 200);
            await say('GET', `/${twin.id}/merges/${merge.id}`, 200);
            await say('POST', `/${id}/merges/${merge.id}/undo`, 200);
            await say('DELETE', `/${twin.id}`, 204);
            await say('DELETE', `/${id}`, 204);
            await say('GET', `/${id}`, 404);
            await say('POST', `/${id}/restore`, 200);
            const list = await say('GET', '', 200);
            assert.deepEqual(list.data.map((one: Json) => one.name), ['Anna Müller', 'Berta', 'Carl']);
            const found = await say('GET', '/search?q=mull', 200);
            assert.deepEqual([found.total, found.data[0].id], [1, id]);
            assert.deepEqual([found.data[0].tags, found.data[0].status, found.data[0].custom_fields], [['a', 'b'], 'lost', { seats: 12 }]);
            for (const other of mounts) assert.deepEqual((await boss.get(`${other}/${id}`)).body, found.data[0]);
            stories.push(told);
        }
        const uuids = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
        const [first, ...others] = stories.map((story) => JSON.stringify(story, null, 1).replace(uuids, 'ID').replace(/"next_cursor": "[^"]*"/g, ''));
        for (const other of others) assert.equal(other, first);
    });
});
