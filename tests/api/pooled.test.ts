// PostgreSQL by way of PgBouncer in transaction mode, with fewer connections than the server
// believes to have: nothing may rest on what a session keeps.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client } from '../kit/client.ts';
import { PgBouncer } from '../kit/pgbouncer.ts';
import { createDatabase, dropDatabase, psql } from '../kit/postgres.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';

describe('through PgBouncer', () => {
    let pool: PgBouncer;
    let site: Site;
    let server: Server;
    let tenant: NewTenant;
    let admin: Client;

    before(async () => {
        const database = await createDatabase();
        pool = await PgBouncer.start(database, 3);
        await dropDatabase(database);
        site = await Site.create('postgres', pool);
        // The command is the first that sees the database: it makes the tables.
        tenant = await site.createTenant('Acme', 'admin@acme.example');
        server = await Server.start(site, '--db-connections', '12', '--rate', '0');
        admin = server.client(tenant.key);
    });
    after(async () => {
        await server?.stop();
        await site?.remove();
        await pool?.stop();
    });

    test('the pool is what it is meant to be: a session is not kept', async () => {
        const mode = await psql(pool.urlOf(site.databaseUrl!), 'SELECT count(DISTINCT pid) <= 3 FROM pg_stat_activity ' +
            "WHERE datname = current_database() AND backend_type = 'client backend'");
        assert.equal(mode, 't');
    });

    test('a fresh database gets its tables by a server, too', async () => {
        const fresh = await Site.create('postgres', pool);
        const first = await Server.start(fresh);
        assert.equal((await first.anonymous.get('//readyz')).status, 200);
        await first.stop();
        const again = await fresh.command('migrate');
        assert.equal(again.code, 0, again.stderr);
        await fresh.remove();
    });

    test('create, read, edit, list, search, delete', async () => {
        const company = await admin.post('/companies', { name: 'Pool Ltd' });
        assert.equal(company.status, 201, company.text);
        const made = await admin.post('/customers', { name: 'Renée Dupont', company_id: company.body.id });
        assert.equal(made.status, 201, made.text);
        const at = `/customers/${made.body.id}`;
        const edited = await admin.patch(at, { locale: 'fr' }, { headers: { 'if-match': made.headers['etag']! } });
        assert.equal(edited.status, 200, edited.text);
        const stale = await admin.patch(at, { locale: 'de' }, { headers: { 'if-match': made.headers['etag']! } });
        assert.equal(stale.status, 412);
        assert.equal((await admin.get(at)).body.locale, 'fr');
        const found = await admin.get('/customers?q=renee');
        assert.deepEqual(found.body.data.map((row: { id: string }) => row.id), [made.body.id]);
        assert.equal(found.body.data[0].company_name, 'Pool Ltd');
        assert.equal((await admin.del(at)).status, 204);
        assert.equal((await admin.get(at)).status, 404);
    });

    test('many at once, the same statements in ever other connections', async () => {
        const customer = (await admin.post('/customers', { name: 'Busy' })).body;
        const before_ = (await admin.get('/interactions?limit=1')).body.total;
        const answers = await Promise.all(
            Array.from({ length: 150 }, (_, i) =>
                i % 3 === 2
                    ? admin.get(`/interactions?customer_id=${customer.id}&limit=5`)
                    : admin.post('/interactions', {
                          customer_id: customer.id, type: 'call', direction: 'outbound',
                          subject: `Call ${i}`, started_at: '2025-12-28T10:30:00Z',
                      }),
            ),
        );
        for (const answer of answers) assert.ok([200, 201].includes(answer.status), answer.text);
        const numbers = answers.filter(({ status }) => status === 201).map(({ body }) => body.interaction_number);
        assert.equal(numbers.length, 100);
        assert.equal(new Set(numbers).size, 100);
        assert.equal((await admin.get('/interactions?limit=1')).body.total, before_ + 100);
        assert.equal((await admin.get(`/customers/${customer.id}`)).body.contact_count, 100);
    });

    test('bulk keeps its good rows', async () => {
        const customer = (await admin.post('/customers', { name: 'Bulky' })).body;
        const row = { customer_id: customer.id, type: 'email', direction: 'inbound', subject: 'Hello', started_at: '2025-12-28T10:30:00Z' };
        const rows = Array.from({ length: 60 }, (_, i) => (i === 30 ? { ...row, subject: '' } : row));
        const answer = await admin.post('/interactions/bulk', { rows });
        assert.equal(answer.status, 200, answer.text);
        const list = await admin.get(`/interactions?customer_id=${customer.id}&limit=1`);
        assert.equal(list.body.total, 59);
    });

    test('an idempotency key holds', async () => {
        const body = { name: 'Only once' };
        const headers = { 'idempotency-key': 'pooled' };
        const answers = await Promise.all(Array.from({ length: 8 }, () => admin.post('/customers', body, { headers })));
        for (const { status, text } of answers) assert.ok([201, 409].includes(status), text);
        const replayed = await admin.post('/customers', body, { headers });
        assert.deepEqual([replayed.status, replayed.headers['idempotent-replayed']], [201, 'true']);
        const ids = answers.filter(({ status }) => status === 201).map((answer) => answer.body.id);
        assert.deepEqual([...new Set(ids)], [replayed.body.id]);
        assert.equal((await admin.get('/customers?q=only+once')).body.total, 1);
    });

    test('commands work beside the server, and without it', async () => {
        assert.equal((await site.commandJson('tenant', 'list')).total, 1);
        await server.stop();
        assert.equal((await site.commandJson('tenant', 'list')).total, 1);
        const { key } = await site.createTenant('Second', 'admin@second.example');
        server = await Server.start(site, '--rate', '0');
        assert.equal((await server.client(key).get('/me')).status, 200);
        admin = server.client(tenant.key);
    });
});
