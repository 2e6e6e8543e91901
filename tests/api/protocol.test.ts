// HTTP as every route speaks it (RFC 9110): methods, media types, targets, tags, request ids.
import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { before, test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { routesOf } from '../kit/openapi.ts';
import { exchange } from '../kit/raw.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

forEachStore((store) => {
    const site = useServer(store);
    let customer: Json;
    let interaction: Json;

    before(async () => {
        customer = (await site.admin.post('/customers', { name: 'Jane Doe' })).body;
        interaction = (
            await site.admin.post('/interactions', {
                customer_id: customer.id, type: 'call', direction: 'inbound', subject: 'A call',
                started_at: '2025-12-28T10:30:00Z',
            })
        ).body;
    });

    async function routes(): Promise<Map<string, string[]>> {
        const { document } = await site.admin.openapi();
        const methods = new Map<string, string[]>();
        for (const route of routesOf(document)) {
            const [method = '', path = ''] = route.split(' ');
            methods.set(path, [...(methods.get(path) ?? []), method]);
        }
        return methods;
    }

    /** A path of the document with ids in it: real ones where there are some. */
    function filled(path: string): string {
        return '/' + path.replace(/\{([^}]+)\}/g, (_, name: string) => {
            if (/customer/.test(path) && !/interactions/.test(path)) return customer.id;
            if (/interaction/.test(path)) return name === 'number' ? interaction.interaction_number : interaction.id;
            return '01890000-0000-7000-8000-000000000000';
        });
    }

    test('a stream begins as /openapi.json has it', async () => {
        const open = (headers: Record<string, string>): Promise<IncomingMessage> =>
            new Promise((resolve, reject) => {
                const asked = request(`${site.admin.url}/api/v1/stream?feed=tenant`, { headers: { authorization: `Bearer ${site.tenant.key}`, ...headers } });
                const answered = (answer: IncomingMessage): void => {
                    answer.socket.destroy();
                    resolve(answer);
                };
                asked.on('response', answered).on('upgrade', answered).on('error', reject).end();
            });
        const key = Buffer.alloc(16).toString('base64');
        const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key };
        const contract = await site.admin.openapi();
        for (const [headers, status] of [[{ accept: 'text/event-stream' }, 200], [upgrade, 101]] as const) {
            const answer = await open(headers);
            assert.equal(answer.statusCode, status);
            contract.check('GET', '/api/v1/stream', status, answer.headers['content-type'] ?? '', undefined);
        }
    });

    test('HEAD on every GET route says what GET says, without the body', async () => {
        let good = 0;
        for (const [path, methods] of await routes()) {
            if (!methods.includes('GET')) continue;
            const target = filled(path);
            const head = await site.admin.request('HEAD', target);
            if (path === '/socket.io/') { // held until there is something to say
                assert.equal(head.status, 405, path);
                continue;
            }
            const get = await site.admin.get(target);
            assert.equal(head.status, get.status, path);
            assert.equal(head.text, '', path);
            for (const name of ['content-type', 'etag', 'cache-control', 'x-content-type-options']) {
                assert.equal(head.headers[name], get.headers[name], `${path}: ${name}`);
            }
            // What counts requests, or says when, is another length each time.
            if (get.status === 200 && path !== '/metrics' && !path.endsWith('/checkpoint')) {
                assert.equal(head.headers['content-length'], get.headers['content-length'], path);
            }
            if (get.status === 200) good += 1;
        }
        assert.ok(good > 15, `${good} were answered well`);
    });

    test('OPTIONS and 405 name the methods of every path', async () => {
        const all = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
        for (const [path, methods] of await routes()) {
            const expected = [...methods, 'OPTIONS', ...(methods.includes('GET') ? ['HEAD'] : [])].sort();
            const options = await site.anonymous.request('OPTIONS', filled(path));
            assert.equal(options.status, 204, path);
            assert.equal(options.text, '');
            assert.deepEqual(options.headers['allow']?.split(', ').sort(), expected, path);
            const other = all.find((method) => !methods.includes(method));
            if (other === undefined) continue;
            const refused = await site.admin.request(other, filled(path));
            assert.equal(refused.status, 405, `${other} ${path}`);
            assert.deepEqual(refused.headers['allow']?.split(', ').sort(), expected, path);
            assert.equal(refused.body.status, 405);
        }
    });

    test('a body is JSON in UTF-8, and says so', async () => {
        const body = JSON.stringify({ name: 'Zoë' });
        const good = [
            'application/json', 'application/json; charset=utf-8', 'application/json;charset=UTF-8',
            'Application/JSON; Charset="utf-8"', 'application/vnd.touchpoint+json',
        ];
        const bad = [
            'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx',
            'application/json; charset=iso-8859-1', 'application/json; charset=utf-16', 'json', 'text/json; x=application/json',
        ];
        for (const type of good) {
            const answer = await site.admin.post('/customers', body, { headers: { 'content-type': type } });
            assert.equal(answer.status, 201, `${type}: ${answer.text}`);
            assert.equal(answer.body.name, 'Zoë');
            assert.match(answer.headers['content-type']!, /^application\/json\b/);
        }
        for (const type of bad) {
            const answer = await site.admin.post('/customers', body, { headers: { 'content-type': type } });
            assert.equal(answer.status, 415, type);
            assert.equal(answer.headers['content-type'], 'application/problem+json');
        }
        const none = await exchange(
            site.server.url,
            `POST /api/v1/customers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${site.tenant.key}\r\n` +
            `Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${Buffer.from(body).toString('latin1')}`,
        );
        assert.deepEqual(none.map(({ status }) => status), [415]);
        const patch = await site.admin.request('PATCH', `/customers/${customer.id}`, '{"locale":"en"}',
            { headers: { 'content-type': 'application/merge-patch+json' } });
        assert.equal(patch.status, 200, patch.text);
    });

    test('targets are percent-encoded UTF-8', async () => {
        const wanted = [
            [`/%63ustomers/${customer.id}`, 200],
            [`/customers/${customer.id.replace('-', '%2D')}`, 200],
            [`/customers%2F${customer.id}`, 404], // an encoded slash parts nothing
            [`/customers/${customer.id}/`, 404],
            [`/../v1/customers/${customer.id}`, 404],
            ['/customers/%zz', 400],
            ['/customers/%2', 400],
            ['/customers/%00', 400],
            ['/customers/%ff', 400],
            ['/customers/%c0%af', 400],
            ['/customers/%ed%a0%80', 400],
            ['/customers?q=%C3%A4', 200],
            ['/customers?q=a+b', 200],
            ['/customers?%71=x', 200],
            ['/customers?q=%ff', 400],
            ['/customers?q=%', 400],
            ['/customers?q=%00', 400],
            ['/customers?colour=red', 422],
        ] as const;
        for (const [path, status] of wanted) {
            const answers = await exchange(
                site.server.url,
                `GET /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
                `Authorization: Bearer ${site.tenant.key}\r\n\r\n`,
            );
            assert.deepEqual(answers.map((answer) => answer.status), [status], `${path}: ${answers[0]?.body}`);
        }
    });

    test('an empty id is no id', async () => {
        for (const path of ['/customers/', '/interactions//end', '/customers//events']) {
            assert.equal((await site.admin.get(path)).status, 404, path);
        }
    });

    test('request ids go through if they are sane, and stand in every answer', async () => {
        const targets = ['/me', '//healthz', '/nothing', '/customers/01890000-0000-7000-8000-000000000000'];
        for (const target of targets) {
            for (const [sent, isKept] of [
                ['abc-DEF_1.2', true], ['x'.repeat(64), true], ['x'.repeat(65), false], ['a b', false],
                ['a;b', false], ['"><script>', false], ['é', false],
            ] as const) {
                const answer = await site.admin.get(target, { headers: { 'x-request-id': sent } });
                const id = answer.headers['x-request-id'] as string;
                if (isKept) assert.equal(id, sent);
                else assert.notEqual(id, sent);
                assert.match(id, /^[A-Za-z0-9._-]{1,64}$/);
                if (answer.status >= 400) assert.equal(answer.body.request_id, id);
            }
        }
        const made = await Promise.all(Array.from({ length: 20 }, () => site.anonymous.get('//healthz')));
        assert.equal(new Set(made.map(({ headers }) => headers['x-request-id'])).size, 20);
    });

    test('tags guard every single record that is edited', async () => {
        const company = (await site.admin.post('/companies', { name: 'Tagged' })).body;
        const records: [string, Json][] = [
            [`/customers/${customer.id}`, { name: 'Tagged' }],
            [`/companies/${company.id}`, { name: 'Tagged again' }],
            [`/interactions/${interaction.id}`, { subject: 'Tagged' }],
            ['/tenant', { name: 'Tagged' }],
        ];
        for (const [at, change] of records) {
            const etag = (await site.admin.get(at)).headers['etag']!;
            assert.match(etag, /^"[^"]+"$/, at);
            const tried = async (tag: string) => (await site.admin.patch(at, change, { headers: { 'if-match': tag } })).status;
            assert.equal(await tried('"0"'), 412, at);
            assert.equal(await tried(`W/${etag}`), 412, at); // it compares weakly, which is not enough
            assert.equal(await tried('nonsense'), 412, at);
            assert.equal((await site.admin.get(at)).headers['etag'], etag, at);
            assert.equal(await tried(`"0", ${etag}`), 200, at);
            assert.notEqual((await site.admin.get(at)).headers['etag'], etag, at);
            assert.equal(await tried(etag), 412, at);
            assert.equal(await tried('*'), 200, at);
        }
    });

    test('what is answered is told to be what it is, and not kept by others', async () => {
        for (const [path, type] of [
            ['/customers', 'application/json'], ['//openapi.json', 'application/json'], ['//docs', 'text/html; charset=utf-8'],
            ['//healthz', 'text/plain; charset=utf-8'], ['/nothing', 'application/problem+json'],
        ] as const) {
            const answer = await site.admin.get(path);
            assert.equal(answer.headers['content-type'], type, path);
            assert.equal(answer.headers['x-content-type-options'], 'nosniff', path);
            assert.match(answer.headers['date']!, / GMT$/);
            assert.equal(answer.headers['content-encoding'], undefined);
        }
        for (const path of ['/customers', `/customers/${customer.id}`, '/me']) {
            assert.match((await site.admin.get(path)).headers['cache-control'] ?? '', /no-store|private|no-cache/, path);
        }
    });
});
