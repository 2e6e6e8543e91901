// TLS by the server itself: what is spoken, what is refused, and that it ends well.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Certificate } from '../kit/certificate.ts';
import { addSigner, signIn } from '../kit/people.ts';
import { binary, temporaryDir } from '../kit/places.ts';
import { run } from '../kit/process.ts';
import { exchange, RawConnection } from '../kit/raw.ts';
import { Server, Site, type NewTenant } from '../kit/server.ts';

describe('over TLS', () => {
    let certificate: Certificate;
    let site: Site;
    let server: Server;
    let tenant: NewTenant;

    before(async () => {
        certificate = await Certificate.create();
        site = await Site.create('sqlite');
        tenant = await site.createTenant('Acme', 'admin@acme.example');
        server = await Server.start(site, '--head-seconds', '3', ...certificate.flags());
    });
    after(async () => {
        await server.stop();
        await site.remove();
        certificate.remove();
    });

    /** The protocol that was agreed on, or the reason why none was. */
    function handshake(options: ConnectionOptions): Promise<{ protocol?: string | null; alpn?: string | false | null; error?: string }> {
        const { hostname, port } = new URL(server.url);
        return new Promise((resolve) => {
            const socket: TLSSocket = connect(
                { host: hostname, port: Number(port), ca: readFileSync(certificate.file), ...options },
                () => {
                    resolve({ protocol: socket.getProtocol(), alpn: socket.alpnProtocol });
                    socket.destroy();
                },
            );
            socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
        });
    }

    test('the first line says so, and the API is there', async () => {
        assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
        const made = await server.client(tenant.key).post('/customers', { name: 'Jane Doe', custom_fields: { long: 'ä'.repeat(15_000) } });
        assert.equal(made.status, 201, made.text);
        const read = await server.client(tenant.key).get(`/customers/${made.body.id}`);
        assert.deepEqual(read.body, made.body);
    });

    test('1.2 and 1.3 are spoken, 1.1 is refused by the server', async () => {
        for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
            const { protocol } = await handshake({ minVersion: version, maxVersion: version });
            assert.equal(protocol, version);
        }
        const old = await handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
        assert.equal(old.error, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    });

    test('of the protocols inside it, HTTP/1.1 is the one', async () => {
        assert.equal((await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
        assert.match((await handshake({ ALPNProtocols: ['h2'] })).error ?? '', /NO_APPLICATION_PROTOCOL/);
    });

    test('plain HTTP on this port is closed without an answer', async () => {
        const plain = server.url.replace('https:', 'http:');
        const connection = await RawConnection.open(plain);
        connection.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
        while (!connection.closed) await new Promise((resolve) => setTimeout(resolve, 5));
        assert.doesNotMatch(connection.received.toString('latin1'), /HTTP/);
        connection.destroy();
    });

    test('a handshake that does not come is not waited for', async () => {
        const began = Date.now();
        const connection = await RawConnection.open(server.url.replace('https:', 'http:'));
        connection.send('\x16\x03\x01');
        assert.deepEqual(await connection.answersUntilClosed(10_000), []);
        assert.ok(Date.now() - began >= 2_900);
        connection.destroy();
    });

    test('requests are read and refused as strictly, and may be pipelined or slow', async () => {
        const get = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
        const last = get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
        const many = await exchange(server.url, get.repeat(200) + last);
        assert.deepEqual(many.map(({ status }) => status), Array<number>(201).fill(200));
        const refused = await exchange(server.url, `GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n${get}`);
        assert.deepEqual(refused.map(({ status }) => status), [400]);
        const slow = await RawConnection.open(server.url);
        await slow.sendSlowly(last);
        assert.deepEqual((await slow.answersUntilClosed()).map(({ status }) => status), [200]);
        slow.destroy();
    });

    test('the sign-in cookie is for TLS only here, and only here', async () => {
        const password = 'correct horse battery staple';
        const user = await addSigner(server.client(tenant.key), server.anonymous, 'agent', password);
        const answer = await server.anonymous.post('/login', { email: user.email, password });
        const cookie = answer.headers['set-cookie']![0]!;
        assert.match(cookie, /; Secure\b/);
        assert.match(cookie, /; HttpOnly\b/);
        assert.match(cookie, /; SameSite=(Lax|Strict)\b/);
        const { reader } = await signIn(server.anonymous, user.email, password);
        assert.equal((await reader.get('/me')).status, 200);
    });

    test('commands reach the server by its socket as ever', async () => {
        const list = await site.commandJson('tenant', 'list');
        assert.equal(list.total, 1);
    });

    test('what was asked is answered when it goes down, and then it says goodbye', async (t) => {
        const other = await Site.create('sqlite');
        t.after(() => other.remove());
        const draining = await Server.start(other, ...certificate.flags());
        t.after(() => draining.kill());
        const idle = await RawConnection.open(draining.url);
        const asking = await RawConnection.open(draining.url);
        asking.send('GET /readyz HTTP/1.1\r\nHost: loc');
        await exchange(draining.url, 'GET /healthz HTTP/1.0\r\n\r\n'); // whatever came before it was read
        draining.signal('SIGTERM');
        assert.deepEqual(await idle.answersUntilClosed(5_000), []);
        asking.send('alhost\r\n\r\n');
        assert.deepEqual((await asking.answersUntilClosed(5_000)).map(({ status }) => status), [503]);
        await draining.stop();
    });

    test('a certificate that cannot be used is said at the start', async () => {
        const dir = temporaryDir('bad');
        const bad = join(dir, 'bad.pem');
        writeFileSync(bad, 'no certificate');
        const other = await Certificate.create();
        const cases: [string[], RegExp][] = [
            [['--tls-certificate', bad, '--tls-key', certificate.keyFile], /cannot use the certificate/],
            [['--tls-certificate', certificate.file, '--tls-key', other.keyFile], /cannot use the key/],
            [['--tls-certificate', certificate.file], /go together/],
        ];
        for (const [flags, words] of cases) {
            const result = await run(binary, ['serve', '--listen', '127.0.0.1:0', '--data', join(dir, 'data'), ...flags]);
            assert.notEqual(result.code, 0);
            assert.match(result.stderr, words);
        }
        other.remove();
        rmSync(dir, { recursive: true });
    });
});
