// The stream by WebSocket (RFC 6455), from the handshake to the close: what a client may do wrong,
// whole and one byte at a time; over TLS; and a client that others wrote.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import WebSocket from 'ws';
import { Certificate } from '../kit/certificate.ts';
import { deadline } from '../kit/process.ts';
import { exchange, RawConnection } from '../kit/raw.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';
import { forEachStore, useServer } from '../kit/stores.ts';
import { BINARY, CLOSE, closeFrame, FIN, frame, PING, PONG, RawWebSocket, TEXT } from '../kit/websocket.ts';

const TARGET = '/api/v1/stream';
const FRAME_MAX = 16384;
const SLOW_BYTES = 80;

/** A command that is not known is answered by an error frame with its ref. */
function command(ref: string, size = 0): string {
    const text = `{"op":"dance","ref":"${ref}"}`;
    return text + ' '.repeat(Math.max(0, size - Buffer.byteLength(text)));
}

function bytes(hex: string): Buffer {
    return Buffer.from(hex.replace(/ /g, ''), 'hex');
}

const euro = Buffer.from(command('\u20ac'));
const half = euro.indexOf(0xe2) + 1;
const tooLarge = 'close 1009';
const broken = 'close 1002';
const last = closeFrame(1000, 'done');

interface Case {
    name: string;
    sent: Uint8Array[];
    /** All that the server says, to the end of the connection. */
    said: string[];
}

const cases: Case[] = [
    { name: 'a text', sent: [frame(FIN | TEXT, command('a')), last], said: ['error 422 a', 'close 1000'] },
    {
        name: 'fragments, empty ones too, with control frames between them',
        sent: [
            frame(FIN | PING, 'p'), frame(TEXT, command('a').slice(0, 3)), frame(FIN | PING, 'q'), frame(0),
            frame(0, command('a').slice(3, 9)), frame(FIN | PONG), frame(FIN | PING, 'x'.repeat(125)),
            frame(FIN | 0, command('a').slice(9)), frame(FIN | TEXT, command('b')), last,
        ],
        said: ['pong p', 'pong q', `pong ${'x'.repeat(125)}`, 'error 422 a', 'error 422 b', 'close 1000'],
    },
    { name: 'a character in two fragments', sent: [frame(TEXT, euro.subarray(0, half)), frame(FIN, euro.subarray(half)), last], said: ['error 422 \u20ac', 'close 1000'] },
    { name: 'a message of 126 bytes', sent: [frame(FIN | TEXT, command('a', 126)), last], said: ['error 422 a', 'close 1000'] },
    { name: 'the largest message', sent: [frame(FIN | TEXT, command('a', FRAME_MAX)), last], said: ['error 422 a', 'close 1000'] },
    { name: 'a frame that is too large', sent: [bytes('81 fe 40 01')], said: [tooLarge] },
    { name: 'a frame of 2^16', sent: [bytes('82 ff 0000000000010000')], said: [tooLarge] },
    { name: 'a frame of 2^63 - 1', sent: [bytes('82 ff 7fffffffffffffff')], said: [tooLarge] },
    { name: 'a length with the highest bit', sent: [bytes('82 ff 8000000000000000')], said: [broken] },
    { name: 'a message that is too large in its fragments', sent: [frame(TEXT, command('a', FRAME_MAX - 1)), frame(FIN, '  ')], said: [tooLarge] },
    { name: 'a length of 5 in two bytes', sent: [bytes('81 fe 0005')], said: [broken] },
    { name: 'a length of 65535 in eight bytes', sent: [bytes('81 ff 000000000000ffff')], said: [broken] },
    { name: 'no mask', sent: [bytes('81 02 7b7d')], said: [broken] },
    { name: 'each reserved bit: 1', sent: [frame(FIN | 0x40 | TEXT, command('a'))], said: [broken] },
    { name: 'each reserved bit: 2', sent: [frame(FIN | 0x20 | TEXT, command('a'))], said: [broken] },
    { name: 'each reserved bit: 3', sent: [frame(FIN | 0x10 | TEXT, command('a'))], said: [broken] },
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
        name: `the reserved opcode ${opcode}`, sent: [frame(FIN | opcode)], said: [broken],
    })),
    { name: 'a ping in fragments', sent: [frame(PING)], said: [broken] },
    { name: 'a ping of 126 bytes', sent: [frame(FIN | PING, 'x'.repeat(126))], said: [broken] },
    { name: 'nothing to continue', sent: [frame(FIN, 'a')], said: [broken] },
    { name: 'a message within a message', sent: [frame(TEXT, 'a'), frame(FIN | TEXT, 'b')], said: [broken] },
    { name: 'text that is not UTF-8', sent: [frame(FIN | TEXT, Uint8Array.of(0x22, 0xff, 0x22))], said: ['close 1007'] },
    { name: 'the same, split', sent: [frame(TEXT, euro.subarray(0, half)), frame(FIN, euro.subarray(half + 1))], said: ['close 1007'] },
    { name: 'half a character at the end', sent: [frame(FIN | TEXT, euro.subarray(0, half))], said: ['close 1007'] },
    { name: 'text that is not JSON', sent: [frame(FIN | TEXT, 'hello')], said: ['error 400', 'close 1007'] },
    { name: 'an empty text', sent: [frame(FIN | TEXT)], said: ['error 400', 'close 1007'] },
    { name: 'JSON that is no object', sent: [frame(FIN | TEXT, '[1]')], said: ['error 400', 'close 1007'] },
    { name: 'binary', sent: [frame(FIN | BINARY, '{}')], said: ['error 400', 'close 1003'] },
    { name: 'a close without a code', sent: [frame(FIN | CLOSE)], said: ['close '] },
    { name: 'a close of one byte', sent: [frame(FIN | CLOSE, 'x')], said: [broken] },
    { name: 'a close in fragments', sent: [frame(CLOSE)], said: [broken] },
    { name: 'a close within a message', sent: [frame(TEXT, 'a'), closeFrame(1001)], said: ['close 1001'] },
    { name: 'a reason that is not UTF-8', sent: [closeFrame(1000, Uint8Array.of(0xce))], said: ['close 1007'] },
    { name: 'frames behind a close', sent: [last, frame(FIN | TEXT, command('a')), frame(FIN | PING, 'p')], said: ['close 1000'] },
    ...[1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999].map((code) => ({
        name: `the close code ${code}`, sent: [closeFrame(code, 'why')], said: [`close ${code}`],
    })),
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code) => ({
        name: `the close code ${code}, which may not be sent`, sent: [closeFrame(code, 'why')], said: [broken],
    })),
];

describe('frames', { concurrency: 4 }, () => {
    const site = useServer('sqlite');
    const open = (early?: Uint8Array) =>
        RawWebSocket.open(site.server.url, TARGET, { Authorization: `Bearer ${site.tenant.key}` }, early);

    for (const { name, sent, said } of cases) {
        test(`${name}: whole, with the handshake`, async () => {
            const socket = await open(Buffer.concat(sent));
            assert.deepEqual(await socket.rest(), said);
            socket.connection.destroy();
        });
        // Long ones up to there: every cut of every case is in tests/unit/live/test_frames.c.
        test(`${name}: one byte at a time`, async () => {
            const socket = await open();
            const all = Buffer.concat(sent).toString('latin1');
            await socket.connection.sendSlowly(all.slice(0, SLOW_BYTES));
            if (!socket.connection.closed) socket.connection.send(all.slice(SLOW_BYTES));
            assert.deepEqual(await socket.rest(), said);
            socket.connection.destroy();
        });
    }

    test('too many frames at once', async () => {
        const socket = await open(Buffer.concat(Array.from({ length: 1000 }, () => frame(FIN | PING, 'p'))));
        const said = await socket.rest();
        assert.deepEqual(said.slice(-2), ['error 429', 'close 1008']);
        assert.ok(said.slice(0, -2).every((word) => word === 'pong p'));
        socket.connection.destroy();
    });

    test('a client that sends no more is left without a word', async () => {
        const socket = await open();
        socket.connection.end();
        assert.deepEqual(await socket.rest(), []);
    });

    test('rubbish of one client disturbs no other', async () => {
        const quiet = await open(frame(FIN | TEXT, '{"op":"subscribe","feed":"tenant","ref":"s"}'));
        assert.equal((await quiet.json()).op, 'subscribed');
        for (const { sent } of cases) {
            const loud = await open(Buffer.concat(sent));
            await loud.rest();
            loud.connection.destroy();
        }
        const made = await site.admin.post('/customers', { name: 'Jane Doe' });
        assert.equal(made.status, 201, made.text);
        const heard = await quiet.json();
        assert.equal(heard.op, 'event');
        assert.equal(heard.event.contact_id, made.body.id);
        quiet.send(last);
        assert.deepEqual(await quiet.rest(), ['close 1000']);
    });
});

describe('the handshake', () => {
    const site = useServer('sqlite');

    async function shake(over: Record<string, string | null>, line?: string) {
        const headers = RawWebSocket.headers({ Authorization: `Bearer ${site.tenant.key}`, ...over });
        const connection = await RawConnection.open(site.server.url);
        connection.send(RawWebSocket.request(TARGET, headers, line));
        const [answer] = await connection.answers(1);
        connection.destroy();
        return answer!;
    }

    test('the answer of the RFC', async () => {
        const answer = await shake({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' });
        assert.equal(answer.status, 101);
        assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
        assert.equal(answer.headers['upgrade'], 'websocket');
        assert.equal(answer.headers['connection'], 'Upgrade');
        assert.equal(answer.headers['content-length'], undefined);
        assert.equal(answer.headers['sec-websocket-extensions'], undefined);
        assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    });

    test('tokens in any case and in lists; extensions and protocols are not taken up', async () => {
        const answer = await shake({
            Connection: 'keep-alive, upgrade', Upgrade: 'h2c, WebSocket',
            'Sec-WebSocket-Extensions': 'permessage-deflate', 'Sec-WebSocket-Protocol': 'chat',
        });
        assert.equal(answer.status, 101);
        assert.equal(answer.headers['sec-websocket-extensions'], undefined);
        assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    });

    test('another version, or none', async () => {
        for (const version of ['8', '12', '14', '013', '13, 8', null]) {
            const answer = await shake({ 'Sec-WebSocket-Version': version });
            assert.equal(answer.status, 426, String(version));
            assert.equal(answer.headers['sec-websocket-version'], '13');
            assert.equal(answer.headers['upgrade'], 'websocket');
            assert.equal(answer.headers['content-type'], 'application/problem+json');
        }
    });

    test('no Upgrade, or not this one', async () => {
        for (const over of [{ Upgrade: null }, { Upgrade: 'h2c' }, { Connection: 'keep-alive' }, { Connection: null }]) {
            const answer = await shake(over);
            assert.equal(answer.status, 426, JSON.stringify(over));
            assert.equal(answer.headers['upgrade'], 'websocket');
        }
        const old = await shake({}, `GET ${TARGET} HTTP/1.0`);
        assert.equal(old.status, 426);
    });

    test('a key that is none', async () => {
        for (const key of [null, '', 'AAAAAAAAAAAAAAAAAAAA', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ=A', 'dGhlIHNhbXBsZSBub25j*Q==', 'dGhlIHNhbXBsZSBub25jZQ==AAAA']) {
            assert.equal((await shake({ 'Sec-WebSocket-Key': key })).status, 400, String(key));
        }
        const twice = RawWebSocket.request(TARGET, RawWebSocket.headers({ Authorization: `Bearer ${site.tenant.key}` }));
        const line = /Sec-WebSocket-Key: .*\r\n/.exec(twice)![0];
        const [answer] = await exchange(site.server.url, twice.replace(line, line + line + 'Connection: close\r\n'));
        assert.equal(answer!.status, 400);
    });

    test('other methods', async () => {
        const head = await site.admin.with(RawWebSocket.headers({ Host: null })).request('HEAD', '/stream');
        assert.equal(head.status, 405);
        assert.match(String(head.headers['allow']), /GET/);
        for (const method of ['POST', 'DELETE']) {
            const answer = await shake({ Connection: 'close, Upgrade' }, `${method} ${TARGET} HTTP/1.1`);
            assert.equal(answer.status, 405, method);
            assert.match(answer.headers['allow']!, /GET/);
        }
    });

    test('no credential, or a wrong one', async () => {
        assert.equal((await shake({ Authorization: null })).status, 401);
        assert.equal((await shake({ Authorization: 'Bearer tp_nonsense' })).status, 401);
    });

    test('elsewhere Upgrade is nothing, and what follows is a request', async () => {
        const one = RawWebSocket.request('/healthz', RawWebSocket.headers());
        const two = RawWebSocket.request('/healthz', RawWebSocket.headers({ Connection: 'close, Upgrade' }));
        const answers = await exchange(site.server.url, one + two);
        assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
    });

    test('a client that leaves before the answer', async () => {
        for (let i = 0; i < 20; i += 1) {
            const connection = await RawConnection.open(site.server.url);
            connection.send(RawWebSocket.request(TARGET, RawWebSocket.headers({ Authorization: `Bearer ${site.tenant.key}` })));
            connection.destroy();
        }
        assert.equal((await site.anonymous.get('//healthz')).status, 200);
    });
});

/** The next message of a client that others wrote. */
async function heard(socket: WebSocket) {
    const late = deadline(15_000, 'no message came');
    late.catch(() => undefined);
    const [data] = await Promise.race([once(socket, 'message'), late]);
    return JSON.parse(String(data));
}

forEachStore((store) => {
    const site = useServer(store);

    function dial(): WebSocket {
        return new WebSocket(site.server.url.replace('http', 'ws') + TARGET, {
            headers: { authorization: `Bearer ${site.tenant.key}` },
        });
    }

    test('ws: subscribe, an event, a ping, a close', async () => {
        const socket = dial();
        await once(socket, 'open');
        socket.send('{"op":"subscribe","feed":"tenant","ref":"s1"}');
        const subscribed = await heard(socket);
        assert.equal(subscribed.op, 'subscribed');
        assert.equal(subscribed.ref, 's1');
        const next = heard(socket);
        const made = await site.admin.post('/customers', { name: 'Jane Doe' });
        assert.equal(made.status, 201, made.text);
        const { op, event } = await next;
        assert.equal(op, 'event');
        assert.equal(event.contact_id, made.body.id);
        socket.ping('are you there');
        const [pong] = await once(socket, 'pong');
        assert.equal(String(pong), 'are you there');
        socket.close(4000, 'enough');
        const [code] = await once(socket, 'close');
        assert.equal(code, 4000);
    });

    test('ws: SIGTERM closes with 1001 and does not wait', async () => {
        const sockets = Array.from({ length: 5 }, dial);
        await Promise.all(sockets.map((socket) => once(socket, 'open')));
        const closes = sockets.map((socket) => once(socket, 'close'));
        await site.restart();
        for (const close of closes) {
            const [code] = await close;
            assert.equal(code, 1001);
        }
    });
});

describe('over TLS', () => {
    let certificate: Certificate;
    let site: Site;
    let server: Server;
    let tenant: NewTenant;

    before(async () => {
        certificate = await Certificate.create();
        site = await Site.create('sqlite');
        tenant = await site.createTenant('Acme', 'admin@acme.example');
        server = await Server.start(site, ...certificate.flags());
    });
    after(async () => {
        await server.stop();
        await site.remove();
        certificate.remove();
    });

    test('ws: an event and a close', async () => {
        const socket = new WebSocket(`${server.url.replace('https', 'wss')}${TARGET}?feed=tenant`, {
            headers: { authorization: `Bearer ${tenant.key}` },
            ca: readFileSync(certificate.file),
        });
        const first = heard(socket);
        await once(socket, 'open');
        assert.equal((await first).op, 'subscribed');
        const next = heard(socket);
        const made = await server.client(tenant.key).post('/customers', { name: 'Jane Doe' });
        assert.equal((await next).event.contact_id, made.body.id);
        socket.close(1000);
        const [code] = await once(socket, 'close');
        assert.equal(code, 1000);
    });

    test('frames by hand, one byte at a time', async () => {
        const socket = await RawWebSocket.open(server.url, TARGET, { Authorization: `Bearer ${tenant.key}` }, frame(FIN | PING, 'early'));
        await socket.connection.sendSlowly(
            Buffer.concat([frame(TEXT, command('a').slice(0, 5)), frame(FIN | PING, 'p'), frame(FIN, command('a').slice(5)), frame(FIN | TEXT, 'hello')]).toString('latin1'),
        );
        assert.deepEqual(await socket.rest(), ['pong early', 'pong p', 'error 422 a', 'error 400', 'close 1007']);
    });
});
