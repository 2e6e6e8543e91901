// The live timeline by WebSocket (ws) and Server-Sent Events (eventsource).
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, addSigner, type Role } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';
import { Screen, Source, type StreamOptions } from '../kit/stream.ts';

const unknown = '01890000-0000-7000-8000-000000000000';

forEachStore((store) => {
    const site = useServer(store);
    const open = new Set<{ close(): void }>();
    afterEach(() => {
        for (const follower of open) follower.close();
        open.clear();
    });

    const customer = async (name: string): Promise<string> => {
        const made = await site.admin.post('/customers', { name });
        assert.equal(made.status, 201, made.text);
        return made.body.id;
    };
    const post = async (client: Client, path: string, body: Json, status = 201): Promise<Json> => {
        const answer = await client.post(path, body);
        assert.equal(answer.status, status, answer.text);
        return answer.body;
    };
    const event = (id: string, fields: Json = {}): Promise<Json> =>
        post(site.admin, '/contact-events', { contact_id: id, event_type: 'page_viewed', category: 'tracking', title: 'A page', ...fields });
    const screen = async (key: string | null = site.tenant.key, options: StreamOptions = {}): Promise<Screen> => {
        const opened = await Screen.open(site.server.url, key, options);
        open.add(opened);
        return opened;
    };
    const source = async (query: Record<string, string>, key: string = site.tenant.key): Promise<Source> => {
        const opened = await Source.open(site.server.url, key, query);
        open.add(opened);
        return opened;
    };
    const person = async (role: Role): Promise<{ user: Json; client: Client; key: string; keyId: string }> => {
        const { user } = await addPerson(site.admin, role);
        const made = await post(site.admin, '/keys', { user_id: user.id, name: 'stream' });
        return { user, client: site.anonymous.withKey(made.key), key: made.key, keyId: made.id };
    };
    const titles = (follower: Screen | Source): Json[] => follower.events.map(({ title }) => title);

    test('a customer is followed by WebSocket and by Server-Sent Events alike', async () => {
        const [id, other] = [await customer('Followed'), await customer('Other')];
        const socket = await (await screen()).subscribe({ customer: id });
        const events = await source({ customer: id });
        await event(other, { title: 'elsewhere' });
        const made = await event(id, { title: 'first', payload: { a: [1, { b: null }] } });
        for (const follower of [socket, events]) {
            const came = await follower.event('page_viewed');
            assert.deepEqual(came, (await site.admin.get(`/contact-events/${made.id}`)).body);
            assert.deepEqual(titles(follower).includes('elsewhere'), false);
        }
        assert.equal((await socket.ask({ op: 'unsubscribe', customer: id })).op, 'unsubscribed');
        await event(id, { title: 'second' });
        await events.event('page_viewed', ({ title }) => title === 'second');
        assert.equal(titles(await socket.settled()).includes('second'), false);
    });

    test('the tenant, and what is addressed to oneself', async () => {
        const { user, key } = await person('agent');
        const id = await customer('Everybody');
        const all = await (await screen()).subscribe({ feed: 'tenant' });
        const own = await (await screen(key)).subscribe({ feed: 'mine' });
        const theirs = await source({ feed: 'mine' }, key);
        await event(id, { title: 'for nobody' });
        await event(id, { title: 'for one', addressee_id: user.id, category: 'notification', event_type: 'notification', is_realtime: true });
        for (const follower of [all, own, theirs]) await follower.event('notification');
        assert.deepEqual(titles(own), ['for one']);
        assert.deepEqual(titles(theirs), ['for one']);
        await all.event('page_viewed', ({ title }) => title === 'for nobody');
        await post(site.admin, '/companies', { name: 'A company' });
        await all.event('company_created'); // for administrators
    });

    test('what happens to a customer arrives as it happens', async () => {
        const id = await customer('Busy');
        const follower = await (await screen()).subscribe({ customer: id });
        const soon = new Date(Date.now() + 500).toISOString();
        await post(site.admin, '/interactions', {
            customer_id: id, type: 'call', direction: 'outbound', subject: 'A call', started_at: '2025-12-28T10:30:00Z',
            follow_up_required: true, follow_up_date: soon,
        });
        await follower.event('interaction_logged');
        const due = await follower.event('follow_up_due');
        assert.equal(due.addressee_id, site.tenant.user.id);
        await site.admin.patch(`/customers/${id}`, { name: 'Busier' });
        await follower.event('contact_updated');
    });

    test('only the addressee’s acknowledgement delivers', async () => {
        const { user, key } = await person('agent');
        const id = await customer('Acknowledged');
        const mine = await (await screen(key)).subscribe({ customer: id });
        const others = await (await screen()).subscribe({ customer: id });
        const made = await event(id, { addressee_id: user.id, is_realtime: true });
        await Promise.all([mine.event('page_viewed'), others.event('page_viewed')]);
        const delivered = async (): Promise<boolean> => (await site.admin.get(`/contact-events/${made.id}`)).body.delivered;
        assert.equal(await delivered(), false); // not by the send
        assert.deepEqual([(await others.ask({ op: 'ack', id: made.id })).op, await delivered()], ['acknowledged', false]);
        assert.deepEqual([(await mine.ask({ op: 'ack', id: made.id })).op, await delivered()], ['acknowledged', true]);
        assert.equal((await mine.ask({ op: 'ack', id: unknown })).status, 404);
    });

    test('since resumes behind an event, also one that was erased, and after a restart', async () => {
        const id = await customer('Resumed');
        const first = await (await screen()).subscribe({ customer: id });
        const last = await event(id, { title: '1' });
        await first.event('page_viewed');
        first.drop();
        for (const title of ['2', '3']) await event(id, { title });
        assert.equal((await site.admin.del(`/contact-events/${last.id}`)).status, 204);
        await event(await customer('Elsewhere'), { title: 'x' });
        await site.restart();
        await event(id, { title: '4' });
        const resumed = [
            await (await screen()).subscribe({ customer: id, since: last.id }),
            await screen(site.tenant.key, { query: { customer: id, since: last.id } }),
            await source({ customer: id, since: last.id }),
        ];
        await event(id, { title: '5' });
        for (const follower of resumed) {
            await follower.event('page_viewed', ({ title }) => title === '5');
            assert.deepEqual(titles(follower), ['2', '3', '4', '5']);
        }
        const tenant = await (await screen()).subscribe({ feed: 'tenant', since: last.id });
        await tenant.event('page_viewed', ({ title }) => title === '5');
        assert.deepEqual(titles(tenant).filter((title: string) => /^[x\d]$/.test(title)), ['2', '3', 'x', '4', '5']);
        assert.equal(new Set(tenant.events.map((one) => one.id)).size, tenant.events.length);
    });

    test('a place that is not known is a resync, and the stream goes on', async () => {
        const id = await customer('Unknown place');
        const follower = await (await screen()).subscribe({ customer: id, since: unknown });
        assert.equal((await follower.frame('resync')).customer, id);
        await event(id);
        await follower.event('page_viewed');
    });

    test('overlapping subscriptions send an event once', async () => {
        const id = await customer('Overlapping');
        const follower = await (await screen()).subscribe({ customer: id });
        await follower.subscribe({ feed: 'tenant' });
        await follower.subscribe({ feed: 'mine' });
        await follower.subscribe({ customer: id });
        for (let i = 0; i < 20; i++) await event(id, { title: `n${i}`, addressee_id: site.tenant.user.id });
        await follower.event('page_viewed', ({ title }) => title === 'n19');
        await follower.settled();
        assert.deepEqual(titles(follower).filter((title: string) => /^n/.test(title)), Array.from({ length: 20 }, (_, i) => `n${i}`));
    });

    test('who else has the customer open is shown', async () => {
        const id = await customer('Watched');
        const [bob, carol] = [await person('agent'), await person('viewer')];
        const mine = await (await screen()).subscribe({ customer: id });
        const his = await (await screen(bob.key)).subscribe({ customer: id });
        his.say({ op: 'presence', customer: id, state: 'viewing' });
        const seen = await mine.frame('presence');
        assert.deepEqual(seen, { op: 'presence', customer: id, users: [{ user_id: bob.user.id, name: bob.user.name, state: 'viewing' }] });
        const hers = await (await screen(carol.key)).subscribe({ customer: id });
        assert.equal((await hers.frame('presence')).users[0].user_id, bob.user.id); // a newcomer's first look
        his.say({ op: 'presence', customer: id, state: 'writing' });
        assert.equal((await hers.frame('presence')).users[0].state, 'writing');
        his.drop();
        assert.equal((await mine.frame('presence', ({ users }) => users[0].state === 'left')).users[0].user_id, bob.user.id);
        assert.equal(his.all.filter(({ op }) => op === 'presence').length, 0);
    });

    test('what is read is told to the user’s other screens', async () => {
        const id = await customer('Read');
        const bob = await person('agent');
        const [one, two, stranger] = [await screen(bob.key), await screen(bob.key), await screen()];
        for (const follower of [one, two, stranger]) await follower.subscribe({ customer: id });
        const made = await event(id, { addressee_id: bob.user.id });
        const answer = await bob.client.post(`/contact-events/${made.id}/mark-read`);
        assert.equal(answer.status, 200, answer.text);
        for (const follower of [one, two]) assert.equal((await follower.frame('read')).id, made.id);
        assert.equal((await stranger.settled()).all.some(({ op }) => op === 'read'), false);
    });

    test('a contact’s own app sees what is visible to the client, and nothing else', async () => {
        const [id, other] = [await customer('Own'), await customer('Somebody')];
        const { token } = await post(site.admin, `/customers/${id}/tokens`, {});
        const own = await (await screen(token)).subscribe({ customer: id });
        const mine = await source({ feed: 'mine' }, token);
        assert.equal((await own.ask({ op: 'subscribe', customer: other })).status, 404);
        assert.equal((await own.ask({ op: 'subscribe', feed: 'tenant' })).status, 403);
        assert.equal((await own.ask({ op: 'presence', customer: id, state: 'viewing' })).status, 403);
        const agent = await (await screen()).subscribe({ customer: id });
        agent.say({ op: 'presence', customer: id, state: 'viewing' });
        await event(id, { title: 'hidden' });
        await event(other, { title: 'foreign', visible_to_client: true });
        const shown = await event(id, { title: 'shown', visible_to_client: true, is_realtime: true });
        for (const follower of [own, mine]) {
            await follower.event('page_viewed');
            assert.deepEqual(titles(follower), ['shown']);
            assert.equal(follower.all.some(({ op }) => op === 'presence'), false);
        }
        assert.equal((await own.ask({ op: 'ack', id: shown.id })).op, 'acknowledged');
        assert.equal((await site.admin.get(`/contact-events/${shown.id}`)).body.delivered, true);
    });

    test('rights that are withdrawn are gone within five seconds', async () => {
        const id = await customer('Withdrawn');
        const [revoked, gone, lowered] = [await person('agent'), await person('agent'), await person('agent')];
        const token = await post(site.admin, `/customers/${id}/tokens`, {});
        const doomed = await customer('Doomed');
        const orphan = await post(site.admin, `/customers/${doomed}/tokens`, {});
        const kept = await (await screen()).subscribe({ feed: 'tenant' });
        const streams: [string, Screen, () => Promise<Json>][] = [
            ['key', await (await screen(revoked.key)).subscribe({ feed: 'tenant' }), () => site.admin.del(`/keys/${revoked.keyId}`)],
            ['user', await (await screen(gone.key)).subscribe({ customer: id }), () => site.admin.post(`/users/${gone.user.id}/deactivate`, {})],
            ['role', await (await screen(lowered.key)).subscribe({ feed: 'tenant' }),
                async () => site.admin.patch(`/users/${lowered.user.id}`, { role: 'viewer' })],
            ['token', await (await screen(token.token)).subscribe({ customer: id }), () => site.admin.del(`/customers/${id}/tokens/${token.id}`)],
            ['customer', await (await screen(orphan.token)).subscribe({ customer: doomed }), () => site.admin.del(`/customers/${doomed}`)],
        ];
        for (const [what, stream, withdraw] of streams) {
            const answer = await withdraw();
            assert.ok(answer.status < 300, `${what}: ${answer.text}`);
            const began = Date.now();
            const { code } = await stream.closed;
            assert.equal(code, 1008, what);
            assert.equal((await stream.frame('error')).status, 401);
            assert.ok(Date.now() - began < 5000, what);
        }
        await event(id, { title: 'afterwards' });
        await kept.event('page_viewed', ({ title }) => title === 'afterwards');
    });

    test('who follows a customer that is merged follows the other', async () => {
        const [id, other] = [await customer('Merged'), await customer('Survivor')];
        const follower = await (await screen()).subscribe({ customer: id });
        const { token } = await post(site.admin, `/customers/${id}/tokens`, {});
        const own = await (await screen(token)).subscribe({ customer: id });
        const merged = await site.admin.post(`/customers/${other}/merge`, { merged_id: id });
        assert.ok(merged.status < 300, merged.text);
        assert.equal((await follower.frame('resync')).customer, other);
        assert.equal((await own.closed).code, 1008); // whom it stands for has changed: it may come again
        const again = await (await screen(token)).subscribe({ customer: id });
        await event(other, { title: 'both', visible_to_client: true });
        for (const one of [follower, again]) await one.event('page_viewed', ({ title }) => title === 'both');
    });

    test('other tenants see nothing', async () => {
        const tenant = await site.site.createTenant(`Foreign ${store}`, `foreign-${store}@example.com`);
        const id = await customer('Ours');
        const follower = await screen(tenant.key);
        assert.equal((await follower.ask({ op: 'subscribe', customer: id })).status, 404);
        await follower.subscribe({ feed: 'tenant' });
        const made = await event(id, { title: 'ours' });
        assert.equal((await follower.ask({ op: 'ack', id: made.id })).status, 404);
        assert.deepEqual((await follower.settled()).events, []);
    });

    test('rubbish is told why, and nobody else notices', async () => {
        const id = await customer('Undisturbed');
        const calm = await (await screen()).subscribe({ customer: id });
        for (const [frame, told] of [
            [{}, 'op'], [{ op: 'dance' }, 'op'], [{ op: 'subscribe', customer: 'x' }, 'customer'],
            [{ op: 'subscribe', customer: id, since: '7' }, 'since'], [{ op: 'ack', id: 7 }, 'id'], [{ op: 'ack', it: '7' }, 'it'],
        ] as [Json, string][]) {
            const error = await calm.ask(frame);
            assert.deepEqual([error.op, error.status, error.errors[0].field], ['error', 422, told], JSON.stringify(error));
        }
        const rude = await screen();
        rude.say('no json');
        assert.equal((await rude.frame('error')).status, 400);
        assert.equal((await rude.closed).code, 1007);
        await event(id, { title: 'calm' });
        await calm.event('page_viewed', ({ title }) => title === 'calm');
    });

    test('how it is asked for', async () => {
        const id = await customer('Asked');
        assert.equal((await site.admin.get('/stream')).status, 426);
        assert.equal((await site.anonymous.get('/stream')).status, 401);
        assert.equal((await site.admin.get('/stream?feed=all')).status, 422);
        assert.equal((await site.admin.get(`/stream?feed=mine&customer=${id}`)).status, 422);
        assert.equal((await site.admin.get('/stream', { headers: { accept: 'text/event-stream' } })).status, 422);
        await assert.rejects(screen('tp_wrong'), /401/);
        const { ticket } = await post(site.admin, '/stream/tickets', undefined);
        const ticketed = await screen(null, { query: { ticket, customer: id } });
        await ticketed.frame('subscribed');
        await assert.rejects(screen(null, { query: { ticket } }), /401/); // once
    });

    test('a browser comes by its cookie, from here only', async () => {
        const password = 'correct horse battery staple';
        const { email } = await addSigner(site.admin, site.anonymous, 'agent', password);
        const answer = await site.anonymous.post('/login', { tenant: site.tenant.tenant.slug, email, password });
        assert.equal(answer.status, 200, answer.text);
        const cookie = answer.headers['set-cookie']![0]!.split(';')[0]!;
        const own = await screen(null, { headers: { cookie, origin: site.server.url } });
        await own.subscribe({ feed: 'mine' });
        await assert.rejects(screen(null, { headers: { cookie, origin: 'https://evil.example' } }), /403/);
        await assert.rejects(screen(null, { headers: { cookie } }), /403/);
    });

    test('who reads gets large events too, many at once and from behind', async () => {
        const id = await customer('Large');
        const first = await event(id, { title: 'first' });
        const live = [await (await screen()).subscribe({ customer: id }), await source({ customer: id })];
        const all = Array.from({ length: 40 }, (_, i) => `large ${i}`);
        await Promise.all(all.map((title) => event(id, { title, payload: { text: 'x'.repeat(40_000) } })));
        const late = [await (await screen()).subscribe({ customer: id, since: first.id }), await source({ customer: id, since: first.id })];
        for (const follower of [...live, ...late]) {
            for (const title of all) await follower.event('page_viewed', (one) => one.title === title);
            assert.equal(titles(follower).filter((title: string) => title.startsWith('large')).length, all.length);
        }
    });

    test('a slow reader is cut off, the others go on', async () => {
        const id = await customer('Slow');
        const quick = await (await screen()).subscribe({ customer: id });
        const { port, hostname } = new URL(site.server.url);
        const slow = connect({ host: hostname, port: Number(port) });
        slow.write(`GET /api/v1/stream?customer=${id} HTTP/1.1\r\nhost: ${hostname}:${port}\r\naccept: text/event-stream\r\n` +
            `authorization: Bearer ${site.tenant.key}\r\n\r\n`);
        await new Promise((resolve) => slow.once('data', resolve));
        slow.pause();
        const cut = async (): Promise<number> =>
            Number(/^touchpoint_streams_cut_total (\d+)$/m.exec((await site.anonymous.get('//metrics')).text)![1]);
        const before = await cut();
        const payload = { fill: 'x'.repeat(60_000) };
        let sent = 0;
        for (; (await cut()) === before && sent < 400; sent += 1) await event(id, { payload });
        assert.equal(await cut(), before + 1);
        await event(id, { title: 'last' });
        await quick.event('page_viewed', ({ title }) => title === 'last');
        assert.equal(quick.events.filter(({ event_type }) => event_type === 'page_viewed').length, sent + 1);
        slow.destroy();
    });

    test('a server that stops says so, and ends', async () => {
        const follower = await (await screen()).subscribe({ feed: 'tenant' });
        const events = await source({ feed: 'tenant' });
        await site.restart();
        assert.equal((await follower.closed).code, 1001);
        events.close();
    });
});
