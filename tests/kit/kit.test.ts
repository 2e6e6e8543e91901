// The kit is trusted by all other tests, so it is tested itself.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { createDatabase, dropDatabase, psql } from './postgres.ts';
import { sanitizerReport, run } from './process.ts';
import { exchange, parseAnswers } from './raw.ts';
import { routesOf } from './openapi.ts';

test('each database is fresh, durable, and sorts unlike "C" by default', async () => {
    const url = await createDatabase();
    try {
        assert.equal(await psql(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), '0');
        assert.equal(await psql(url, 'SHOW fsync'), 'on');
        assert.equal(await psql(url, "SELECT 'a' < 'B', 'a' COLLATE \"C\" < 'B'"), 't|f');
    } finally {
        await dropDatabase(url);
    }
    await assert.rejects(psql(url, 'SELECT 1'), /does not exist/);
});

test('a sanitizer is heard, and a log that is content is not', () => {
    assert.match(sanitizerReport('==1==ERROR: AddressSanitizer: heap-use-after-free')!, /heap-use/);
    assert.match(sanitizerReport('WARNING: ThreadSanitizer: data race (pid=1)')!, /data race/);
    assert.match(sanitizerReport('a.c:3:5: runtime error: signed integer overflow')!, /overflow/);
    assert.equal(sanitizerReport('{"level":"info","message":"listening"}'), null);
});

test('answers are cut where they end', () => {
    const one = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\nX: b\r\n\r\nhi';
    const none = 'HTTP/1.1 204 No Content\r\n\r\n';
    const { answers, rest } = parseAnswers(Buffer.from(one + none + one.slice(0, -1)));
    assert.deepEqual(answers.map(({ status, body }) => [status, body]), [[200, 'hi'], [204, '']]);
    assert.equal(answers[0]!.headers['x'], 'a, b');
    assert.equal(rest.length, one.length - 1);
    assert.throws(() => parseAnswers(Buffer.from('HTTP/2 200\r\n\r\n')), /status line/);
});

test('a raw exchange ends when the other side closes', async () => {
    const server = createServer((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const answers = await exchange(`http://127.0.0.1:${port}`, 'GET / HTTP/9\r\n\r\n');
    assert.deepEqual(answers.map(({ status }) => status), [400]);
    server.close();
});

test('a command that hangs is ended', async () => {
    const { signal } = await run('sleep', ['60'], { withinMs: 50 });
    assert.equal(signal, 'SIGKILL');
});

test('routes are the operations of a document, and nothing else of it', () => {
    const operation = { responses: {} };
    const paths = { '/a/{id}': { get: operation, put: operation, parameters: operation } };
    assert.deepEqual(routesOf({ paths }), ['GET /a/{id}', 'PUT /a/{id}']);
});
