// Two nodes over one PostgreSQL: any node serves any request (SPEC.md §11).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Client, Json } from '../kit/client.ts';
import { psql } from '../kit/postgres.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';

describe('two nodes', () => {
    let sites: [Site, Site];
    let nodes: [Server, Server];
    let tenant: NewTenant;
    let clients: [Client, Client];

    before(async () => {
        const first = await Site.create('postgres');
        sites = [first, first.another()];
        // At the same moment, on an empty database.
        nodes = await Promise.all([Server.start(sites[0], '--rate', '0'), Server.start(sites[1], '--rate', '0')]);
        tenant = await first.createTenant('Acme', 'admin@acme.example');
        clients = [nodes[0].client(tenant.key), nodes[1].client(tenant.key)];
    });
    after(async () => {
        for (const node of nodes ?? []) await node.stop();
        await sites?.[1].remove();
        await sites?.[0].remove();
    });

    async function customer(name: string): Promise<Json> {
        const made = await clients[0].post('/customers', { name });
        assert.equal(made.status, 201, made.text);
        return made.body;
    }

    function interaction(customerId: string, fields: Json = {}): Json {
        return {
            customer_id: customerId, type: 'call', direction: 'outbound', subject: 'A call',
            started_at: '2025-12-28T10:30:00Z', ...fields,
        };
    }

    test('both brought the database up to date, once', async () => {
        const twice = await psql(sites[0].databaseUrl!, 'SELECT count(*) - count(DISTINCT number) FROM schema_migrations');
        assert.equal(twice, '0');
        for (const node of nodes) assert.equal((await node.anonymous.get('//readyz')).status, 200);
    });

    test('what one wrote the other reads at once', async () => {
        const { id } = await customer('Shared');
        assert.equal((await clients[1].get(`/customers/${id}`)).body.name, 'Shared');
        const edited = await clients[1].patch(`/customers/${id}`, { name: 'Edited' });
        assert.equal(edited.status, 200, edited.text);
        assert.equal((await clients[0].get(`/customers/${id}`)).body.name, 'Edited');
    });

    test('numbers are unique, and increase on each node; kept totals are exact', async () => {
        const hot = await customer('Hot');
        const answers = await Promise.all(
            clients.map((client) =>
                Promise.all(Array.from({ length: 5 }, async () => {
                    const made: Answer[] = [];
                    for (let i = 0; i < 16; i += 1) made.push(await client.post('/interactions', interaction(hot.id)));
                    return made;
                })),
            ),
        );
        const all = answers.flat(2);
        for (const answer of all) assert.equal(answer.status, 201, answer.text);
        assert.equal(new Set(all.map(({ body }) => body.interaction_number)).size, 160);
        for (const worker of answers.flat(1)) {
            const own = worker.map(({ body }) => Number(/\d+$/.exec(body.interaction_number)![0]));
            assert.deepEqual(own, [...own].sort((a, b) => a - b));
        }
        const stored = Number(await psql(sites[0].databaseUrl!, 'SELECT count(*) FROM interactions WHERE deleted_at IS NULL'));
        for (const client of clients) {
            assert.equal((await client.get('/interactions?limit=1')).body.total, stored);
            assert.equal((await client.get(`/interactions?customer_id=${hot.id}&limit=1`)).body.total, 160);
            assert.equal((await client.get(`/customers/${hot.id}`)).body.contact_count, 160);
        }
    });

    test('of two edits of one version one gets through', async () => {
        const one = await customer('Contended');
        for (let version = 1; version <= 10; version += 1) {
            const headers = { 'if-match': `"${version}"` };
            const edits = await Promise.all(
                clients.map((client, i) => client.patch(`/customers/${one.id}`, { name: `Name ${version} by ${i}` }, { headers })),
            );
            assert.deepEqual(edits.map(({ status }) => status).sort(), [200, 412]);
        }
    });

    test('a key used on both at the same instant makes one record', async () => {
        const pairs = await Promise.all(
            Array.from({ length: 25 }, (_, i) =>
                Promise.all(clients.map((client) =>
                    client.post('/customers', { name: `Keyed ${i}` }, { headers: { 'idempotency-key': `key-${i}` } }))),
            ),
        );
        for (const [i, pair] of pairs.entries()) {
            for (const { status, text } of pair) assert.ok([201, 409].includes(status), text);
            const made = pair.filter(({ status }) => status === 201);
            assert.ok(made.length >= 1);
            assert.equal(made.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
            for (const client of clients) {
                const again = await client.post('/customers', { name: `Keyed ${i}` }, { headers: { 'idempotency-key': `key-${i}` } });
                assert.deepEqual([again.status, again.headers['idempotent-replayed'], again.body.id], [201, 'true', made[0]!.body.id]);
            }
        }
        const stored = await psql(sites[0].databaseUrl!, "SELECT count(*) FROM customers WHERE name LIKE 'Keyed %'");
        assert.equal(stored, '25');
    });

    test('what falls due is done once', async () => {
        const planned = await Promise.all(Array.from({ length: 12 }, (_, i) => customer(`Planned ${i}`)));
        const soon = new Date(Date.now() + 1500).toISOString();
        await Promise.all(planned.map(async ({ id }, i) => {
            const made = await clients[i % 2]!.post('/interactions', interaction(id, {
                type: 'meeting', started_at: soon, follow_up_required: true, follow_up_date: soon,
            }));
            assert.equal(made.status, 201, made.text);
        }));
        const notified = () => psql(sites[0].databaseUrl!,
            "SELECT count(*), count(DISTINCT interaction_id) FROM contact_events WHERE category = 'notification'");
        const counted = () => psql(sites[0].databaseUrl!,
            "SELECT count(*) FROM customers WHERE name LIKE 'Planned %' AND contact_count = 1 AND last_contacted_at IS NOT NULL");
        for (const until = Date.now() + 30_000; Date.now() < until; await sleep(200)) {
            if ((await notified()) === '12|12' && (await counted()) === '12') break;
        }
        await sleep(1000); // for whoever would do it again
        assert.equal(await notified(), '12|12');
        assert.equal(await counted(), '12');
    });

    test('a node that is killed holds the other up in nothing', async () => {
        const busy = await customer('Busy');
        let stop = false;
        let slowest = 0;
        let acknowledged = 0;
        const writers = clients.flatMap((client, node) =>
            Array.from({ length: 6 }, async () => {
                while (!stop) {
                    const began = Date.now();
                    try {
                        const made = await client.post('/interactions', interaction(busy.id));
                        assert.equal(made.status, 201, made.text);
                        acknowledged += 1;
                    } catch (error) {
                        if (node === 0) return; // it was killed
                        throw error;
                    }
                    if (node === 1) slowest = Math.max(slowest, Date.now() - began);
                }
            }),
        );
        await sleep(400);
        const killed = nodes[0];
        await killed.kill();
        const before_ = acknowledged;
        await sleep(800);
        stop = true;
        await Promise.all(writers);
        assert.ok(acknowledged > before_, 'the other stood still');
        assert.ok(slowest < 5_000, `an answer took ${slowest} ms`);

        const stored = Number(await psql(sites[0].databaseUrl!, `SELECT count(*) FROM interactions WHERE customer_id = '${busy.id}'`));
        assert.ok(stored >= acknowledged && stored <= acknowledged + 6, `${stored} of ${acknowledged}`);
        assert.equal((await clients[1].get(`/interactions?customer_id=${busy.id}&limit=1`)).body.total, stored);
        assert.equal((await clients[1].get(`/customers/${busy.id}`)).body.contact_count, stored);

        nodes[0] = await Server.start(sites[0], '--rate', '0');
        clients[0] = nodes[0].client(tenant.key);
        const made = await clients[0].post('/interactions', interaction(busy.id));
        assert.equal(made.status, 201, made.text);
        assert.equal((await clients[1].get(`/customers/${busy.id}`)).body.contact_count, stored + 1);
    });
});
