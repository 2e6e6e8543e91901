// What a well-behaved client never sends, on the wire of the real server (RFC 9112). Each
// answer is given once, and nothing behind a malformed request is ever parsed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange, RawConnection } from '../kit/raw.ts';
import { Server, Site } from '../kit/server.ts';

const host = 'Host: localhost\r\n';
const get = `GET /healthz HTTP/1.1\r\n${host}\r\n`;
const last = `GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
const post = `POST /api/v1/interactions HTTP/1.1\r\n${host}Content-Type: application/json\r\n`;

const malformed: Record<string, string> = {
    'both lengths': `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'two lengths': `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
    'two unlike lengths': `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
    'a list of lengths': `${post}Content-Length: 2, 2\r\n\r\n{}`,
    'a signed length': `${post}Content-Length: +2\r\n\r\n{}`,
    'a negative length': `${post}Content-Length: -2\r\n\r\n{}`,
    'an empty length': `${post}Content-Length:\r\n\r\n{}`,
    'a length past 64 bits': `${post}Content-Length: 18446744073709551618\r\n\r\n{}`,
    'an unknown coding': `${post}Transfer-Encoding: gzip\r\n\r\n`,
    'chunked twice': `${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    'chunked in two fields': `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a coding with a tail': `${post}Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n`,
    'a chunk size past 64 bits': `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`,
    'a chunk size with a prefix': `${post}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`,
    'a chunk longer than it says': `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
    'a bare LF in a chunk extension': `${post}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n`,
    'a space before a colon': `GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n`,
    'a folded line': `GET /healthz HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`,
    'no Host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'an empty Host': 'GET /healthz HTTP/1.1\r\nHost:\r\n\r\n',
    'two Hosts': `GET /healthz HTTP/1.1\r\n${host}${host}\r\n`,
    'a Host with a path': 'GET /healthz HTTP/1.1\r\nHost: localhost/a\r\n\r\n',
    'HTTP/0.9': 'GET /healthz\r\n\r\n',
    'HTTP/1.2': `GET /healthz HTTP/1.2\r\n${host}\r\n`,
    'HTTP/2.0': `GET /healthz HTTP/2.0\r\n${host}\r\n`,
    'bare LF': 'GET /healthz HTTP/1.1\nHost: localhost\n\n',
    'bare CR': `GET /healthz HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`,
    'NUL in a value': `GET /healthz HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
    'NUL in the target': `GET /health\0z HTTP/1.1\r\n${host}\r\n`,
    'a control character': `GET /healthz HTTP/1.1\r\n${host}X: \x01\r\n\r\n`,
    'a target of bytes': `GET /\xc3\xa4 HTTP/1.1\r\n${host}\r\n`,
    'a relative target': `GET healthz HTTP/1.1\r\n${host}\r\n`,
    'a target elsewhere': `GET http://example.org/healthz HTTP/1.1\r\n${host}\r\n`,
    'an asterisk to GET': `GET * HTTP/1.1\r\n${host}\r\n`,
    'TLS on the plain port': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
};

describe('the wire', () => {
    let site: Site;
    let server: Server;

    before(async () => {
        site = await Site.create('sqlite');
        server = await Server.start(site, '--head-seconds', '4');
    });
    after(async () => {
        await server.stop();
        await site.remove();
    });

    for (const [what, bytes] of Object.entries(malformed)) {
        test(`${what} is one 400`, async () => {
            const answers = await exchange(server.url, bytes + get + get);
            assert.deepEqual(answers.map(({ status }) => status), [400]);
            assert.equal(answers[0]!.headers['connection'], 'close');
            assert.equal(answers[0]!.headers['content-type'], 'application/problem+json');
            const problem = JSON.parse(answers[0]!.body);
            assert.equal(problem.status, 400);
            assert.equal(problem.request_id, answers[0]!.headers['x-request-id']);
        });

        test(`${what} is the same byte by byte`, async () => {
            const connection = await RawConnection.open(server.url);
            await connection.sendSlowly(bytes);
            const answers = await connection.answersUntilClosed();
            assert.deepEqual(answers.map(({ status }) => status), [400]);
            connection.destroy();
        });
    }

    test('what is too much has its own status', async () => {
        const manyFields = 'X: y\r\n'.repeat(200);
        const cases: [number, string][] = [
            [431, `GET /healthz HTTP/1.1\r\n${host}${manyFields}\r\n`],
            [431, `GET /healthz HTTP/1.1\r\n${host}X: ${'y'.repeat(20_000)}\r\n\r\n`],
            [414, `GET /${'a'.repeat(10_000)} HTTP/1.1\r\n${host}\r\n`],
            [413, `${post}Content-Length: 99999999999\r\n\r\n`],
            [413, `${post}Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n`],
            [417, `${post}Expect: more\r\nContent-Length: 2\r\n\r\n`],
            [501, `BREW /healthz HTTP/1.1\r\n${host}\r\n`],
        ];
        for (const [status, bytes] of cases) {
            const answers = await exchange(server.url, bytes);
            assert.deepEqual(answers.map((answer) => answer.status), [status]);
        }
    });

    test('pipelined requests are answered in order', async () => {
        const ids = Array.from({ length: 300 }, (_, i) => `request-${i}`);
        const bytes = ids.map((id) => get.replace('\r\n\r\n', `\r\nX-Request-Id: ${id}\r\n\r\n`));
        const answers = await exchange(server.url, bytes.join('') + last);
        assert.deepEqual(answers.slice(0, -1).map(({ headers }) => headers['x-request-id']), ids);
        assert.ok(answers.every(({ status }) => status === 200));
        assert.equal(answers.at(-1)!.headers['connection'], 'close');
    });

    test('a request may come byte by byte', async () => {
        const connection = await RawConnection.open(server.url);
        await connection.sendSlowly(`\r\n${get}${last}`);
        const answers = await connection.answersUntilClosed();
        assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
        connection.destroy();
    });

    test('a client that sends no more still gets its answers', async () => {
        const connection = await RawConnection.open(server.url);
        connection.send(get + get + get.slice(0, 10));
        connection.end();
        const answers = await connection.answersUntilClosed();
        assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
        connection.destroy();
    });

    test('HEAD says what GET would, and sends no body', async () => {
        const connection = await RawConnection.open(server.url);
        connection.send(last.replace('GET', 'HEAD'));
        while (!connection.closed) await sleep(10);
        const head = connection.received.toString('latin1');
        assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
        assert.match(head, /\r\ncontent-length: [1-9]/i);
        assert.ok(head.endsWith('\r\n\r\n'));
        connection.destroy();
    });

    test('HTTP/1.0 closes, unless it asks not to', async () => {
        const answers = await exchange(server.url, 'GET /healthz HTTP/1.0\r\n\r\n');
        assert.equal(answers[0]!.headers['connection'], 'close');
        const kept = await RawConnection.open(server.url);
        kept.send('GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
        assert.equal((await kept.answers(1))[0]!.headers['connection'], 'keep-alive');
        kept.send('GET /healthz HTTP/1.0\r\n\r\n');
        assert.equal((await kept.answersUntilClosed()).length, 2);
        kept.destroy();
    });

    test('a byte a second is cut off', async () => {
        const connection = await RawConnection.open(server.url);
        const began = Date.now();
        const sending = connection.sendSlowly(get.replace('\r\n\r\n', `\r\nX: ${'y'.repeat(60)}`), 1000);
        const answers = await connection.answersUntilClosed(30_000);
        assert.deepEqual(answers.map(({ status }) => status), [408]);
        assert.ok(Date.now() - began < 10_000);
        await sending;
        connection.destroy();
    });
});
