// SIGTERM under load: no request is cut. What the store holds afterwards is exactly what was
// acknowledged: nothing was lost, and nothing was done whose answer was held back.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAnswers, RawConnection } from '../kit/raw.ts';
import { Server, Site } from '../kit/server.ts';
import { forEachStore } from '../kit/stores.ts';
import { sanitizerReport } from '../kit/process.ts';

const CLIENTS = 24;

function creation(key: string, name: string): string {
    const body = JSON.stringify({ name });
    return (
        `POST /api/v1/customers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    );
}

interface Load {
    acknowledged: Set<string>;
    refused: number;
    done: Promise<unknown>;
}

/** Each client creates one after another, until its connection ends. */
async function load(url: string, key: string): Promise<Load> {
    const acknowledged = new Set<string>();
    const result: Load = { acknowledged, refused: 0, done: Promise.resolve() };
    const connections = await Promise.all(Array.from({ length: CLIENTS }, () => RawConnection.open(url)));
    const clients = connections.map(async (connection, client) => {
        for (let i = 0, answered = 0; !connection.closed; i += 1) {
            const name = `Customer ${client}-${i}`;
            connection.send(creation(key, name));
            while (!connection.closed && parseAnswers(connection.received).answers.length === answered) {
                await connection.change();
            }
            const { answers, rest } = parseAnswers(connection.received);
            assert.equal(rest.length, 0, 'an answer was cut');
            if (answers.length === answered) break; // never accepted
            answered += 1;
            const answer = answers.at(-1)!;
            if (answer.status === 201) acknowledged.add(JSON.parse(answer.body).name);
            else result.refused += 1;
            assert.ok(answer.status === 201 || answer.status === 503, answer.body);
            if (answer.headers['connection'] === 'close') break;
        }
        connection.destroy();
    });
    result.done = Promise.all(clients);
    result.done.catch(() => undefined); // whoever waits for it sees the error
    return result;
}

forEachStore((store) => {
    test('no request is cut, and the store opens again', async (t) => {
        const site = await Site.create(store);
        t.after(() => site.remove());
        const { key } = await site.createTenant('Acme', 'admin@acme.example');
        const acknowledged = new Set<string>();
        for (let round = 0; round < 3; round += 1) {
            const server = await Server.start(site, '--quiet', '--rate', '0');
            t.after(() => server.kill());
            const running = await load(server.url, key);
            await sleep(150 + 100 * round);
            server.signal('SIGTERM');
            const { code, signal, stderr } = await server.finished();
            assert.deepEqual([code, signal], [0, null], stderr);
            assert.equal(sanitizerReport(stderr), null);
            assert.doesNotMatch(stderr, /drain cut short/);
            await running.done;
            assert.ok(running.acknowledged.size >= CLIENTS, `${running.acknowledged.size} were not enough of a load`);
            for (const name of running.acknowledged) acknowledged.add(`${round} ${name}`);
        }

        const server = await Server.start(site);
        t.after(() => server.kill());
        const stored = new Map<string, number>();
        let cursor: string | null = '';
        while (cursor !== null) {
            const page = await server.client(key).get(`/customers?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`);
            assert.equal(page.status, 200, page.text);
            assert.equal(page.body.total, acknowledged.size);
            for (const { name } of page.body.data) stored.set(name, (stored.get(name) ?? 0) + 1);
            cursor = page.body.next_cursor;
        }
        const expected = new Map<string, number>();
        for (const name of acknowledged) {
            const plain = name.slice(2);
            expected.set(plain, (expected.get(plain) ?? 0) + 1);
        }
        assert.deepEqual([...stored].sort(), [...expected].sort());
        await server.stop();
        if (store === 'sqlite') {
            const copy = await site.command('backup', join(site.dataDir, 'copy')); // reads it back
            assert.equal(copy.code, 0, copy.stderr);
        }
    });

    test('what was begun may be finished; nothing new is taken', async (t) => {
        const site = await Site.create(store);
        t.after(() => site.remove());
        const { key } = await site.createTenant('Acme', 'admin@acme.example');
        const server = await Server.start(site);
        t.after(() => server.kill());
        const inHead = await RawConnection.open(server.url);
        const inBody = await RawConnection.open(server.url);
        const idle = await RawConnection.open(server.url);
        const whole = creation(key, 'Late');
        inHead.send('GET /readyz HTTP/1.1\r\nHost: localhost\r\n');
        inBody.send(whole.slice(0, -5));
        idle.send('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
        assert.equal((await idle.answers(1))[0]!.status, 200); // all three were read
        server.signal('SIGTERM');
        assert.equal((await idle.answersUntilClosed()).length, 1);
        await assert.rejects(RawConnection.open(server.url), /ECONNREFUSED/);
        inHead.send('\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
        const answers = await inHead.answersUntilClosed();
        assert.deepEqual(answers.map(({ status }) => status), [503]); // and no second one
        assert.equal(answers[0]!.headers['connection'], 'close');
        assert.ok(Number(answers[0]!.headers['retry-after']) > 0);
        inBody.send(whole.slice(-5));
        assert.deepEqual((await inBody.answersUntilClosed()).map(({ status }) => status), [201]);
        await server.stop();
        for (const connection of [inHead, inBody, idle]) connection.destroy();
    });

    test('a second SIGTERM waits for nobody', async (t) => {
        const site = await Site.create(store);
        t.after(() => site.remove());
        const server = await Server.start(site);
        t.after(() => server.kill());
        const holding = await RawConnection.open(server.url);
        holding.send('GET /readyz HTTP/1.1\r\nHost: localhost\r\n');
        await server.anonymous.get('//healthz');
        server.signal('SIGTERM');
        await sleep(300);
        const began = Date.now();
        server.signal('SIGTERM');
        const { code, stderr } = await server.finished();
        assert.equal(code, 0, stderr);
        assert.equal(sanitizerReport(stderr), null);
        assert.ok(Date.now() - began < 5_000);
        holding.destroy();
        await (await Server.start(site)).stop();
    });
});
