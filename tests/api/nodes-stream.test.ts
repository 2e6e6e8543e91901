// Streams of two nodes over one PostgreSQL: what one writes, clients of the other see.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { addPerson } from '../kit/people.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';
import { Screen } from '../kit/stream.ts';

describe('streams of two nodes', () => {
    let sites: [Site, Site];
    let nodes: [Server, Server];
    let tenant: NewTenant;
    let clients: [Client, Client];
    const open: Screen[] = [];

    before(async () => {
        const first = await Site.create('postgres');
        sites = [first, first.another()];
        nodes = await Promise.all([Server.start(sites[0], '--rate', '0'), Server.start(sites[1], '--rate', '0')]);
        tenant = await first.createTenant('Acme', 'admin@acme.example');
        clients = [nodes[0].client(tenant.key), nodes[1].client(tenant.key)];
    });
    after(async () => {
        for (const screen of open) screen.drop();
        for (const node of nodes ?? []) await node.stop();
        await sites?.[1].remove();
        await sites?.[0].remove();
    });

    const screen = async (node: 0 | 1, what: { customer?: string; feed?: string; since?: string }, key = tenant.key): Promise<Screen> => {
        const opened = await (await Screen.open(nodes[node].url, key)).subscribe(what);
        open.push(opened);
        return opened;
    };
    const customer = async (name: string): Promise<string> => (await clients[0].post('/customers', { name })).body.id;
    const event = async (client: Client, id: string, title: string, fields: Json = {}): Promise<Json> => {
        const made = await client.post('/contact-events', { contact_id: id, event_type: 'page_viewed', category: 'tracking', title, ...fields });
        assert.equal(made.status, 201, made.text);
        return made.body;
    };
    const seen = (follower: Screen): string[] =>
        follower.events.filter(({ event_type }) => event_type === 'page_viewed').map(({ title }) => title);

    test('what either writes both see, in one order', async () => {
        const id = await customer('Shared');
        const followers = [await screen(0, { customer: id }), await screen(1, { customer: id }), await screen(1, { feed: 'tenant' })];
        await Promise.all(clients.map(async (client, node) => {
            for (let i = 0; i < 25; i++) await event(client, id, `${node}-${i}`);
        }));
        for (const follower of followers)
            for (const node of [0, 1]) await follower.event('page_viewed', ({ title }) => title === `${node}-24`);
        for (const follower of followers) {
            assert.equal(new Set(seen(follower)).size, 50);
            assert.deepEqual(seen(follower), seen(followers[0]!));
        }
    });

    test('marks and presence go to the screens at the other node', async () => {
        const id = await customer('Watched');
        const { user, client } = await addPerson(clients[0], 'agent');
        const key = (await clients[0].post('/keys', { user_id: user.id, name: 'screen' })).body.key;
        const [his, mine] = [await screen(0, { customer: id }, key), await screen(1, { customer: id })];
        his.say({ op: 'presence', customer: id, state: 'writing' });
        const told = await mine.frame('presence');
        assert.deepEqual(told.users, [{ user_id: user.id, name: user.name, state: 'writing' }]);
        his.say({ op: 'presence', customer: id, state: 'left' });
        await mine.frame('presence', ({ users }) => users[0].state === 'left');

        const elsewhere = await screen(1, { customer: id }, key);
        const made = await event(clients[0], id, 'for one', { addressee_id: user.id });
        const marked = await client.post(`/contact-events/${made.id}/mark-read`);
        assert.equal(marked.status, 200, marked.text);
        assert.equal((await elsewhere.frame('read')).id, made.id);
    });

    test('a key that is revoked at one is worth nothing at the other', async () => {
        const made = (await clients[0].post('/keys', { user_id: tenant.user.id, name: 'short' })).body;
        const follower = await screen(1, { feed: 'tenant' }, made.key);
        const began = Date.now();
        assert.equal((await clients[0].del(`/keys/${made.id}`)).status, 204);
        assert.equal((await follower.closed).code, 1008);
        assert.ok(Date.now() - began < 5000);
    });

    test('when a node dies its clients go on at the other without a gap', async () => {
        const id = await customer('Survivor');
        const [follower, other] = [await screen(1, { customer: id }), await screen(0, { customer: id })];
        let writing = true;
        const written: string[] = [];
        const writer = (async () => {
            for (let i = 0; writing; i++) {
                await event(clients[0], id, `e${i}`);
                written.push(`e${i}`);
            }
        })();
        await follower.event('page_viewed', ({ title }) => title === 'e20');
        await nodes[1].kill();
        await follower.closed;
        const before = seen(follower);
        const last = follower.events.at(-1).id;
        const resumed = await screen(0, { customer: id, since: last });
        await resumed.event('page_viewed');
        writing = false;
        await writer;
        const end = written.at(-1)!;
        for (const one of [resumed, other]) await one.event('page_viewed', ({ title }) => title === end);
        assert.deepEqual([...before, ...seen(resumed)], written);
        assert.deepEqual(seen(other), written);
        nodes[1] = await Server.start(sites[1], '--rate', '0');
    });
});
