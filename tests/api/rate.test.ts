// One caller that asks too often is slowed down, and nobody else (SPEC.md §2: 429).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../kit/client.ts';
import { addPerson } from '../kit/people.ts';
import { RawConnection, type RawAnswer } from '../kit/raw.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';

const RATE = 10;
const BURST = 2 * RATE;

describe('the rate of one credential', () => {
    let site: Site;
    let server: Server;
    let tenant: NewTenant;
    let other: Client;

    before(async () => {
        site = await Site.create('sqlite');
        tenant = await site.createTenant('Acme', 'admin@acme.example');
        server = await Server.start(site, '--rate', String(RATE), '--trust-proxy', '127.0.0.1');
        ({ client: other } = await addPerson(server.client(tenant.key), 'viewer'));
        assert.equal((await other.get('/me')).status, 200);
    });
    after(async () => {
        await server.stop();
        await site.remove();
    });

    /** All at once, one behind the other; `credential` gives each its own Authorization. */
    async function burst(count: number, credential: () => string, from?: string): Promise<RawAnswer[]> {
        const connection = await RawConnection.open(server.url);
        const forwarded = from === undefined ? '' : `X-Forwarded-For: ${from}\r\n`;
        const requests = Array.from(
            { length: count },
            () => `GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n${forwarded}Authorization: ${credential()}\r\n\r\n`,
        );
        connection.send(requests.join(''));
        const answers = await connection.answers(count);
        connection.destroy();
        return answers;
    }

    function count(answers: RawAnswer[], status: number): number {
        return answers.filter((answer) => answer.status === status).length;
    }

    test('a burst is taken, and the rest told when to come back', async () => {
        await sleep(1000);
        const began = Date.now();
        const answers = await burst(4 * BURST, () => `Bearer ${tenant.key}`);
        const seconds = (Date.now() - began) / 1000;
        const taken = count(answers, 200);
        assert.equal(taken + count(answers, 429), 4 * BURST);
        assert.ok(taken >= BURST / 2 && taken <= BURST + RATE * seconds + 2, `${taken} in ${seconds} s`);
        const refused = answers.find(({ status }) => status === 429)!;
        assert.equal(refused.headers['retry-after'], '1');
        assert.equal(refused.headers['content-type'], 'application/problem+json');
        assert.equal(JSON.parse(refused.body).request_id, refused.headers['x-request-id']);
        assert.notEqual(refused.headers['connection'], 'close');

        // Nobody else: not another credential, not the operator, not a probe.
        assert.equal((await other.get('/me')).status, 200);
        for (let i = 0; i < BURST + 5; i += 1) assert.equal((await server.anonymous.get('//healthz')).status, 200);
        for (let i = 0; i < BURST + 5; i += 1) assert.equal((await server.operator().get('/tenants')).status, 200);

        await sleep(1000 * Number(refused.headers['retry-after']));
        assert.equal((await server.client(tenant.key).get('/me')).status, 200);
    });

    test('invented credentials count for the address that they come from', async () => {
        const invented = () => `Bearer tp_${randomBytes(64).toString('base64url')}`;
        const answers = await burst(4 * BURST, invented, '192.0.2.7');
        assert.ok(count(answers, 401) >= BURST, `${count(answers, 401)}`);
        assert.ok(count(answers, 429) >= BURST, `${count(answers, 429)}`);
        assert.equal(count(answers, 401) + count(answers, 429), 4 * BURST);
        // Another address has its own, and a credential that was good is not held up by this one.
        assert.equal(count(await burst(1, invented, '192.0.2.8'), 401), 1);
        await sleep(200);
        assert.equal(count(await burst(1, () => `Bearer ${tenant.key}`, '192.0.2.7'), 200), 1);
    });

    test('each contact token has its own', async () => {
        await sleep(1000);
        const admin = server.client(tenant.key);
        const customer = (await admin.post('/customers', { name: 'Anna' })).body.id;
        const one = (await admin.post(`/customers/${customer}/tokens`)).body.token;
        const another = (await admin.post(`/customers/${customer}/tokens`)).body.token;
        assert.equal(count(await burst(1, () => `Bearer ${one}`), 403), 1);
        assert.equal(count(await burst(1, () => `Bearer ${another}`), 403), 1);
        const answers = await burst(4 * BURST, () => `Bearer ${one}`);
        assert.ok(count(answers, 429) > 0);
        assert.equal(count(answers, 403) + count(answers, 429), 4 * BURST);
        assert.equal(count(await burst(1, () => `Bearer ${another}`), 403), 1);
    });

    test('an IPv6 caller is its network', async () => {
        let host = 0;
        const connection = await RawConnection.open(server.url);
        const total = 3 * BURST;
        for (let i = 0; i < total; i += 1) {
            connection.send(
                'GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n' +
                `X-Forwarded-For: 2001:db8:0:1::${(host += 1).toString(16)}\r\n\r\n`,
            );
        }
        const answers = await connection.answers(total);
        connection.destroy();
        assert.ok(count(answers, 429) > 0);
        assert.ok(count(answers, 401) >= BURST);
    });

    test('with 0 there is none', async () => {
        const unlimited = await Site.create('sqlite');
        const { key } = await unlimited.createTenant('Acme', 'admin@acme.example');
        const previous = server;
        server = await Server.start(unlimited, '--rate', '0');
        try {
            const answers = await burst(4 * BURST, () => `Bearer ${key}`);
            assert.equal(count(answers, 200), 4 * BURST);
        } finally {
            await server.stop();
            server = previous;
            await unlimited.remove();
        }
    });
});
