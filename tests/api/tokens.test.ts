// Contact tokens: a customer's own app. Stream tickets: one stream, once.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, addSigner, faults, signIn } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

interface Stream {
    status: number;
    /** The server has ended it. */
    ended: Promise<void>;
    close(): void;
}

/** Asks for Server-Sent Events; what is refused has ended already. */
function openStream(url: string, query: string, headers: Record<string, string> = {}): Promise<Stream> {
    return new Promise((resolve, reject) => {
        const asked = request(`${url}/api/v1/stream?${query}`, { agent: false, headers: { accept: 'text/event-stream', ...headers } });
        asked.on('error', reject);
        asked.on('response', (response) => {
            const ended = new Promise<void>((end) => response.on('close', end));
            response.resume();
            resolve({ status: response.statusCode!, ended, close: () => response.destroy() });
        });
        asked.end();
    });
}

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);

    const customer = async (name: string): Promise<string> => (await site.admin.post('/customers', { name })).body.id;
    const token = async (id: string, body?: Json): Promise<Json> => {
        const answer = await site.admin.post(`/customers/${id}/tokens`, body);
        assert.equal(answer.status, 201, answer.text);
        return answer.body;
    };
    const app = (made: Json): Client => site.anonymous.withKey(made.token);
    const seconds = (made: Json): number => (Date.parse(made.expires_at) - Date.parse(made.created_at)) / 1000;

    test('a token is made, shown once, listed and revoked', async () => {
        const id = await customer('Anna');
        const answer = await site.admin.post(`/customers/${id}/tokens`, { expires_in: 600 });
        assert.equal(answer.status, 201, answer.text);
        const { token: text, ...made } = answer.body;
        assert.match(text, /^tpc_[A-Za-z0-9_-]{86}$/);
        assert.equal(answer.headers.location, `/api/v1/customers/${id}/tokens/${made.id}`);
        assert.deepEqual([seconds(made), made.created_by, made.created_by_name, made.revoked_at],
            [600, site.tenant.user.id, 'admin@acme.example', null]);
        assert.equal(seconds(await token(id)), 3600);
        const at = `/customers/${id}/tokens/${made.id}`;
        assert.deepEqual((await site.admin.get(at)).body, made);
        const list = (await site.admin.get(`/customers/${id}/tokens`)).body;
        assert.equal(list.total, 2);
        assert.deepEqual(list.data[1], made);

        const own = site.anonymous.withKey(text);
        assert.equal((await own.post('/stream/tickets')).status, 201);
        assert.equal((await site.admin.del(at)).status, 204);
        assert.equal((await own.post('/stream/tickets')).status, 401);
        assert.notEqual((await site.admin.get(at)).body.revoked_at, null);
        assert.equal((await site.admin.del(at)).status, 204);
        assert.equal((await site.admin.get(`/customers/${id}/tokens`)).body.total, 2);
    });

    test('under all names of a customer, and nobody else\'s', async () => {
        const id = await customer('Names');
        const other = await customer('Other');
        for (const mount of ['contacts', 'leads']) {
            const made = await site.admin.post(`/${mount}/${id}/tokens`);
            assert.equal(made.status, 201, made.text);
            assert.equal((await site.admin.get(`/${mount}/${id}/tokens/${made.body.id}`)).status, 200);
            assert.equal((await site.admin.get(`/${mount}/${id}/tokens`)).body.data[0].id, made.body.id);
            for (const wrong of [other, unknown]) {
                assert.equal((await site.admin.get(`/${mount}/${wrong}/tokens/${made.body.id}`)).status, 404);
                assert.equal((await site.admin.del(`/${mount}/${wrong}/tokens/${made.body.id}`)).status, 404);
            }
            assert.equal((await app(made.body).post('/stream/tickets')).status, 201);
            assert.equal((await site.admin.del(`/${mount}/${id}/tokens/${made.body.id}`)).status, 204);
        }
        assert.equal((await site.admin.get(`/customers/${other}/tokens`)).body.total, 0);
    });

    test('every fault is named', async () => {
        const id = await customer('Faults');
        const of = async (body: Json): Promise<string[]> => {
            const answer = await site.admin.post(`/customers/${id}/tokens`, body);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(await of({ expires_in: 59 }), ['expires_in too_small']);
        assert.deepEqual(await of({ expires_in: 86401, token: 'tpc_mine' }), ['expires_in too_large', 'token unknown_field']);
        assert.deepEqual(await of({ expires_in: '600' }), ['expires_in wrong_type']);
        assert.equal(seconds(await token(id, { expires_in: 60 })), 60);
        assert.equal(seconds(await token(id, { expires_in: 86400 })), 86400);
        for (const wrong of [unknown, 'x']) assert.equal((await site.admin.post(`/customers/${wrong}/tokens`)).status, 404);
    });

    test('agents make them, viewers do not see them', async () => {
        const id = await customer('Roles');
        const { client: viewer } = await addPerson(site.admin, 'viewer');
        const { client: agent, user } = await addPerson(site.admin, 'agent');
        const made = await agent.post(`/customers/${id}/tokens`);
        assert.deepEqual([made.status, made.body.created_by, made.body.created_by_name], [201, user.id, user.name]);
        for (const answer of [await viewer.post(`/customers/${id}/tokens`), await viewer.get(`/customers/${id}/tokens`),
            await viewer.del(`/customers/${id}/tokens/${made.body.id}`)]) assert.equal(answer.status, 403);
    });

    test('it opens what is for contacts, and nothing else', async () => {
        const made = await token(await customer('Scope'));
        const own = app(made);
        for (const path of ['/customers', '/me', '/tenant', '/keys', '/interactions']) {
            assert.equal((await own.get(path)).status, 403, path);
        }
        assert.equal((await own.post('/customers', { name: 'Mine' })).status, 403);
        const changed = (text: string, at: number): string => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
        for (const wrong of [changed(made.token, 60), changed(made.token, 10), changed(made.token, 35), made.token.slice(0, -1), `${made.token}A`,
            made.token.replace('tpc_', 'tp_'), made.token.replace('tpc_', 'tps_'), made.token.replace('tpc_', ''), site.tenant.key.replace('tp_', 'tpc_')]) {
            const answer = await site.anonymous.withKey(wrong).post('/stream/tickets');
            assert.equal(answer.status, 401, wrong);
            assert.match(answer.headers['www-authenticate']!, /^Bearer/);
        }
    });

    test('a deleted customer has no app', async () => {
        const id = await customer('Gone');
        const own = app(await token(id));
        assert.equal((await own.post('/stream/tickets')).status, 201);
        assert.equal((await site.admin.del(`/customers/${id}`)).status, 204);
        assert.equal((await own.post('/stream/tickets')).status, 401);
        assert.equal((await site.admin.post(`/customers/${id}/tokens`)).status, 404);
        assert.equal((await site.admin.get(`/customers/${id}/tokens`)).status, 404);
        assert.equal((await site.admin.post(`/customers/${id}/restore`)).status, 200);
        assert.equal((await own.post('/stream/tickets')).status, 201);
    });

    test('each change is an event, for agents only', async () => {
        const id = await customer('Told');
        const made = await token(id);
        const own = app(made);
        await site.admin.del(`/customers/${id}/tokens/${made.id}`);
        await site.admin.del(`/customers/${id}/tokens/${made.id}`);
        const other = await token(id);
        const seen = async (client: Client): Promise<Json[]> =>
            (await client.get(`/customers/${id}/events`)).body.events.filter((event: Json) => event.subject_type === 'contact_token');
        const told = (await seen(site.admin)).map((event) => [event.event_type, event.subject_id, event.contact_id, event.visible_to_client]).reverse();
        assert.deepEqual(told, [
            ['contact_token_created', made.id, id, false], ['contact_token_revoked', made.id, id, false],
            ['contact_token_created', other.id, id, false]]);
        assert.deepEqual(await seen(app(other)), []);
        assert.equal((await own.get(`/customers/${id}/events`)).status, 401);
    });

    test('the token of a merged customer is the other\'s, until that is undone', async () => {
        const anna = await customer('Anna A.');
        const same = await customer('Anna B.');
        const made = await token(same);
        const own = app(made);
        const status = async (id: string): Promise<number> => (await own.get(`/customers/${id}/events`)).status;
        assert.deepEqual([await status(same), await status(anna)], [200, 404]);
        const merge = await site.admin.post(`/customers/${anna}/merge`, { merged_id: same });
        assert.equal(merge.status, 200, merge.text);
        assert.deepEqual([await status(same), await status(anna)], [200, 200]);
        assert.equal((await site.admin.get(`/customers/${anna}/tokens`)).body.data[0].id, made.id);
        assert.equal((await site.admin.get(`/customers/${same}/tokens/${made.id}`)).status, 200);
        assert.equal((await site.admin.post(`/customers/${anna}/merges/${merge.body.id}/undo`)).status, 200);
        assert.deepEqual([await status(same), await status(anna)], [200, 404]);
        await site.admin.post(`/customers/${anna}/merge`, { merged_id: same });
        assert.equal((await site.admin.del(`/customers/${anna}/tokens/${made.id}`)).status, 204);
        assert.deepEqual([await status(same), await status(anna)], [401, 401]);
    });

    test('a replay has no secret, and is one\'s own', async () => {
        const id = await customer('Twice');
        const headers = { 'idempotency-key': 'token-1' };
        const first = await site.admin.post(`/customers/${id}/tokens`, {}, { headers });
        const second = await site.admin.post(`/customers/${id}/tokens`, {}, { headers });
        assert.equal(second.headers['idempotent-replayed'], 'true');
        assert.equal(second.headers['secret-withheld'], 'true');
        const { token: text, ...rest } = first.body;
        assert.deepEqual(second.body, rest);
        assert.equal((await site.admin.get(`/customers/${id}/tokens`)).body.total, 1);

        const one = app(await token(id));
        const other = app(await token(await customer('Somebody else')));
        const ticket = (client: Client): Promise<Answer> => client.post('/stream/tickets', undefined, { headers: { 'idempotency-key': 'ticket-1' } });
        const made = await ticket(one);
        assert.deepEqual([made.status, made.headers['idempotent-replayed']], [201, undefined]);
        const again = await ticket(one);
        assert.deepEqual([again.status, again.headers['idempotent-replayed'], again.body],
            [201, 'true', { expires_at: made.body.expires_at }]);
        const theirs = await ticket(other);
        assert.deepEqual([theirs.status, theirs.headers['idempotent-replayed']], [201, undefined]);
        assert.equal((await site.anonymous.withKey(text).post('/stream/tickets')).status, 201);
    });

    test('the list goes by page, offset and cursor, newest first', async () => {
        const id = await customer('Many');
        const ids: string[] = [];
        for (let i = 0; i < 5; i++) ids.unshift((await token(id)).id);
        const list = async (query: string): Promise<Json> => (await site.admin.get(`/customers/${id}/tokens?${query}`)).body;
        const idsOf = (body: Json): string[] => body.data.map((one: Json) => one.id);
        assert.deepEqual(idsOf(await list('')), ids);
        assert.deepEqual(idsOf(await list('page=2&page_size=2')), ids.slice(2, 4));
        assert.deepEqual(idsOf(await list('limit=2&offset=3')), ids.slice(3));
        const walked: string[] = [];
        let cursor: string | null = null;
        do {
            const page: Json = await list(`limit=2${cursor === null ? '' : `&cursor=${cursor}`}`);
            assert.equal(page.total, 5);
            walked.push(...idsOf(page));
            cursor = page.next_cursor;
        } while (cursor !== null);
        assert.deepEqual(walked, ids);
    });

    test('whoever may listen gets a ticket', async () => {
        const { client: viewer } = await addPerson(site.admin, 'viewer');
        const made = await viewer.post('/stream/tickets');
        assert.equal(made.status, 201, made.text);
        assert.match(made.body.ticket, /^tps_[A-Za-z0-9_-]{86}$/);
        assert.deepEqual(Object.keys(made.body).sort(), ['expires_at', 'ticket']);
        assert.match(made.headers.location!, /^\/api\/v1\/stream\/tickets\/[0-9a-f-]{36}$/);
        assert.equal(made.headers['cache-control'], 'no-store');
        assert.notEqual((await viewer.post('/stream/tickets')).body.ticket, made.body.ticket);
        // It is no credential of anything else.
        assert.equal((await site.anonymous.withKey(made.body.ticket).get('/me')).status, 401);
        assert.equal((await site.anonymous.get(`/customers?ticket=${made.body.ticket}`)).status, 401);
        assert.equal((await site.anonymous.post('/stream/tickets')).status, 401);

        const password = 'correct horse battery';
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const { browser, reader } = await signIn(site.anonymous, user.email, password);
        assert.equal((await browser.post('/stream/tickets')).status, 201);
        assert.equal((await reader.post('/stream/tickets')).status, 403);
    });

    const open = (query: string, headers?: Record<string, string>): Promise<Stream> => openStream(site.server.anonymous.url, query, headers);
    /** The status alone. */
    const opens = async (query: string, headers?: Record<string, string>): Promise<number> => {
        const stream = await open(query, headers);
        stream.close();
        return stream.status;
    };
    const ticketOf = async (client: Client): Promise<string> => (await client.post('/stream/tickets')).body.ticket;

    test('a ticket opens one stream', async () => {
        const id = await customer('Streamed');
        const at = `customer=${id}&ticket=`;
        const first = await ticketOf(site.admin);
        assert.equal(await opens(`x=1&${at}${first}`), 422);
        assert.equal(await opens(at + first), 200);
        assert.equal(await opens(at + first), 401);
        for (let round = 0; round < 8; round++) {
            const ticket = await ticketOf(site.admin);
            const both = await Promise.all([opens(at + ticket), opens(at + ticket)]);
            assert.deepEqual(both.sort(), [200, 401]);
        }
        assert.equal(await opens(at + (await ticketOf(app(await token(id))))), 200);
        assert.equal(await opens(at + site.tenant.key), 401);
        assert.equal(await opens(`customer=${id}`), 401);
    });

    test('a ticket is worth no more than what asked for it', async () => {
        const at = `customer=${await customer('Worth')}&ticket=`;
        const key = (await site.admin.post('/keys', { name: 'short-lived' })).body;
        const ticket = await ticketOf(site.anonymous.withKey(key.key));
        assert.equal((await site.admin.del(`/keys/${key.id}`)).status, 204);
        assert.equal(await opens(at + ticket), 401);
        const id = await customer('Worth less');
        const made = await token(id);
        const theirs = await ticketOf(app(made));
        await site.admin.del(`/customers/${id}/tokens/${made.id}`);
        assert.equal(await opens(`customer=${id}&ticket=${theirs}`), 401);
    });

    test('with a cookie, only this server\'s own pages listen', async () => {
        const password = 'correct horse battery';
        const user = await addSigner(site.admin, site.anonymous, 'viewer', password);
        const signedIn = await site.anonymous.post('/login', { email: user.email, password });
        const cookie = signedIn.headers['set-cookie']![0]!.split(';')[0]!;
        const own = new URL(site.server.anonymous.url);
        assert.equal(await opens('feed=mine', { cookie, origin: own.origin }), 200);
        assert.equal(await opens('feed=mine', { cookie, 'sec-fetch-site': 'same-origin' }), 200);
        const strange: Record<string, string>[] = [{}, { 'sec-fetch-site': 'cross-site' }, { origin: 'null' }, { origin: 'https://evil.example' },
            { origin: `${own.protocol}//${own.hostname}:1` }, { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }];
        for (const headers of strange) assert.equal(await opens('feed=mine', { cookie, ...headers }), 403, JSON.stringify(headers));
        assert.equal(await opens('feed=mine', { authorization: `Bearer ${site.tenant.key}`, origin: 'https://evil.example' }), 200);
    });

    test('rights that are withdrawn end the stream, and no other', async () => {
        const id = await customer('Watched');
        const kept = await open(`customer=${id}`, { authorization: `Bearer ${site.tenant.key}` });
        let keptEnded = false;
        void kept.ended.then(() => (keptEnded = true));
        const withdraw = async (bearer: string, of: string, change: () => Promise<Answer>): Promise<void> => {
            const stream = await open(of, { authorization: `Bearer ${bearer}` });
            assert.equal(stream.status, 200);
            const answer = await change();
            assert.ok(answer.status < 300, answer.text);
            await stream.ended;
        };
        const person = async (): Promise<{ user: Json; key: Json }> => {
            const { user } = await addPerson(site.admin, 'agent');
            return { user, key: (await site.admin.post('/keys', { user_id: user.id, name: 'stream' })).body };
        };
        const tenant = 'feed=tenant';

        let one = await person();
        await withdraw(one.key.key, tenant, () => site.admin.del(`/keys/${one.key.id}`));
        one = await person();
        await withdraw(one.key.key, tenant, () => site.admin.patch(`/users/${one.user.id}`, { role: 'viewer' }));
        one = await person();
        await withdraw(one.key.key, tenant, () => site.admin.post(`/users/${one.user.id}/deactivate`, {}));

        let made = await token(id);
        await withdraw(made.token, `customer=${id}`, () => site.admin.del(`/customers/${id}/tokens/${made.id}`));
        const gone = await customer('Gone soon');
        made = await token(gone);
        await withdraw(made.token, `customer=${gone}`, () => site.admin.del(`/customers/${gone}`));
        const same = await customer('The same');
        made = await token(same);
        let merge: Answer | undefined;
        await withdraw(made.token, `customer=${same}`, async () => (merge = await site.admin.post(`/customers/${id}/merge`, { merged_id: same })));
        await withdraw(made.token, `customer=${same}`, () => site.admin.post(`/customers/${id}/merges/${merge!.body.id}/undo`));

        const password = 'correct horse battery';
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const signedIn = await signIn(site.anonymous, user.email, password);
        const stream = await open(`${tenant}&ticket=${await ticketOf(signedIn.browser)}`);
        assert.equal(stream.status, 200);
        assert.equal((await signedIn.browser.post('/logout')).status, 204);
        await stream.ended;
        assert.equal(keptEnded, false);
        kept.close();
    });

    test('nothing crosses tenants', async () => {
        const { key } = await site.site.createTenant('Else', 'e@else.example');
        const stranger = site.server.client(key);
        const theirs = (await stranger.post('/customers', { name: 'Theirs' })).body.id;
        const made = (await stranger.post(`/customers/${theirs}/tokens`)).body;
        assert.equal((await site.admin.post(`/customers/${theirs}/tokens`)).status, 404);
        assert.equal((await site.admin.get(`/customers/${theirs}/tokens/${made.id}`)).status, 404);
        assert.equal((await site.admin.del(`/customers/${theirs}/tokens/${made.id}`)).status, 404);
        const mine = await customer('Mine');
        assert.equal((await site.admin.del(`/customers/${mine}/tokens/${made.id}`)).status, 404);
        assert.equal((await app(made).post('/stream/tickets')).status, 201);
    });
});
