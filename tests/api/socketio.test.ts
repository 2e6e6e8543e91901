// Socket.IO at /socket.io/, with the client that others wrote, and by hand where it is wrong.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, addSigner } from '../kit/people.ts';
import { deadline } from '../kit/process.ts';
import { RawConnection, type RawAnswer } from '../kit/raw.ts';
import { forEachStore, useServer, type Running } from '../kit/stores.ts';
import { FIN, frame, TEXT, BINARY, RawWebSocket } from '../kit/websocket.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const ways: Record<string, string[]> = {
    'by polling': ['polling'],
    'by websocket': ['websocket'],
    'by polling, then websocket': ['polling', 'websocket'],
};

function within<T>(promise: Promise<T>, what: string): Promise<T> {
    return Promise.race([promise, deadline(15_000, what) as Promise<never>]);
}

/** A client, and all that it was sent, in order. */
class Listener {
    readonly heard: [string, Json][] = [];
    disconnected: string | null = null;
    private wake: () => void = () => undefined;

    constructor(readonly socket: Socket) {
        socket.onAny((name: string, data: Json) => {
            this.heard.push([name, data]);
            this.wake();
        });
        socket.on('disconnect', (reason) => {
            this.disconnected = reason;
            this.wake();
        });
    }

    static async connect(url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<Listener> {
        const listener = new Listener(io(url, { forceNew: true, reconnection: false, ...options }));
        const outcome = new Promise<void>((resolve, reject) => {
            listener.socket.on('connect', () => resolve());
            listener.socket.on('connect_error', reject);
        });
        try {
            await within(outcome, 'no answer to CONNECT');
        } catch (error) {
            listener.socket.disconnect();
            throw error;
        }
        return listener;
    }

    /** Emits, and gives what the callback gets. */
    ask(name: string, data?: Json): Promise<Json> {
        const emitted = this.socket.timeout(15_000);
        return data === undefined ? emitted.emitWithAck(name) : emitted.emitWithAck(name, data);
    }

    async until(done: () => boolean, what: string): Promise<void> {
        const late = deadline(15_000, `${what}; heard ${JSON.stringify(this.heard.map(([name]) => name))}`);
        late.catch(() => undefined);
        while (!done()) await Promise.race([new Promise<void>((resolve) => (this.wake = resolve)), late]);
    }

    async named(name: string, count = 1): Promise<Json[]> {
        const found = () => this.heard.filter(([of]) => of === name).map(([, data]) => data);
        await this.until(() => found().length >= count, `not ${count} of ${name}`);
        return found();
    }

    close(): void {
        this.socket.disconnect();
    }
}

interface Refusal {
    message: string;
    data: Json;
}

/** What comes instead of a connection. */
async function refusal(url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<Refusal> {
    try {
        (await Listener.connect(url, options)).close();
    } catch (error) {
        return error as Refusal;
    }
    throw new Error('it was let in');
}

async function addCustomer(client: Client): Promise<string> {
    const answer = await client.post('/customers', { name: 'Ada Example' });
    assert.equal(answer.status, 201, answer.text);
    return answer.body.id;
}

async function addNote(client: Client, customer: string, text: string): Promise<void> {
    const answer = await client.post(`/customers/${customer}/notes`, { text });
    assert.equal(answer.status, 201, answer.text);
}

forEachStore((store) => {
    const site = useServer(store);
    const token = () => site.tenant.key;
    const connect = (options: Partial<ManagerOptions & SocketOptions> = {}) =>
        Listener.connect(site.server.url, { auth: { token: token() }, ...options });

    for (const [way, transports] of Object.entries(ways)) {
        test(`events arrive as they happen, once and in order, ${way}`, async () => {
            const customer = await addCustomer(site.admin);
            const listener = await connect({ transports });
            const last = transports.at(-1);
            assert.deepEqual(await listener.ask('subscribe', { customer }), { op: 'subscribed', customer });
            // Some go out while the transport changes.
            for (let i = 0; i < 20; i++) await addNote(site.admin, customer, `note ${i}`);
            const events = await listener.named('note_added', 20);
            assert.equal(events.length, 20);
            assert.equal(new Set(events.map(({ id }) => id)).size, 20);
            const timeline = await site.admin.get(`/contact-events/timeline/${customer}?limit=20`);
            if (timeline.status === 200)
                assert.deepEqual(events.map(({ id }) => id), timeline.body.events.map(({ id }: Json) => id).reverse());
            for (const event of events) {
                assert.equal(event.contact_id, customer);
                assert.equal(event.event_type, 'note_added');
            }
            if (listener.socket.io.engine.transport.name !== last)
                await within(new Promise((resolve) => listener.socket.io.engine.once('upgrade', resolve)), 'no upgrade');
            assert.equal(listener.socket.io.engine.transport.name, last);
            assert.deepEqual(await listener.ask('unsubscribe', { customer }), { op: 'unsubscribed', customer });
            listener.close();
        });

        test(`who it is, is looked up, ${way}`, async () => {
            const to = site.server.url;
            for (const auth of [undefined, { token: 'tp_wrong' }, { token: 'wrong' }, { ticket: 'tps_wrong' }]) {
                const { message, data } = await refusal(to, { transports, ...(auth && { auth }) });
                assert.equal(data.status, 401, JSON.stringify(data));
                assert.equal(message, data.detail);
            }
            const bad = await refusal(to, { transports, auth: { token: token(), custmer: unknown } });
            assert.equal(bad.data.status, 422);
            assert.deepEqual(bad.data.errors.map(({ field, code }: Json) => [field, code]), [['custmer', 'unknown_field']]);

            const authorization = `Bearer ${token()}`;
            (await Listener.connect(to, { transports, extraHeaders: { authorization } })).close();
            for (const by of ['auth', 'query'] as const) {
                const { ticket } = (await site.admin.post('/stream/tickets')).body;
                (await Listener.connect(to, { transports, [by]: { ticket } })).close();
                assert.equal((await refusal(to, { transports, [by]: { ticket } })).data.status, 401, 'a ticket is used once');
            }
            assert.equal((await refusal(`${to}/admin`, { transports, auth: { token: token() } })).message, 'Invalid namespace');
        });
    }

    test('a cookie is for this server\'s own pages', async () => {
        const password = 'correct horse battery';
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const answer = await site.anonymous.post('/login', { email: user.email, password });
        const cookie = answer.headers['set-cookie']![0]!.split(';')[0]!;
        const own = site.server.url;
        for (const transports of [['polling'], ['websocket']]) {
            const by = (origin: string | null) => ({
                transports, extraHeaders: { cookie, ...(origin === null ? {} : { origin }) },
            });
            (await Listener.connect(own, by(own))).close();
            assert.equal((await refusal(own, by('https://evil.example'))).data.status, 401);
            assert.equal((await refusal(own, by('null'))).data.status, 401);
            assert.equal((await refusal(own, by(null))).data.status, 401);
        }
    });

    test('a contact\'s own app sees what is for it', async () => {
        const customer = await addCustomer(site.admin);
        const other = await addCustomer(site.admin);
        const made = await site.admin.post(`/customers/${customer}/tokens`, {});
        assert.equal(made.status, 201, made.text);
        const app = await connect({ auth: { token: made.body.token, feed: 'mine' } });
        await app.named('subscribed');
        const agent = await connect();
        await agent.ask('subscribe', { customer });
        assert.equal((await app.ask('subscribe', { customer: other })).status, 404);
        assert.equal((await app.ask('subscribe', { feed: 'tenant' })).status, 403);

        await addNote(site.admin, customer, 'between us');
        const answer = await site.admin.post('/contact-events', {
            contact_id: customer, event_type: 'ticket_opened', category: 'general', title: 'Opened', visible_to_client: true,
        });
        assert.equal(answer.status, 201, answer.text);
        await agent.named('ticket_opened');
        const [event] = await app.named('ticket_opened');
        assert.equal(event.id, answer.body.id);
        assert.deepEqual(app.heard.map(([name]) => name).filter((name) => name !== 'presence'), ['subscribed', 'ticket_opened']);
        app.close();
        agent.close();
    });

    test('an event type that clients keep for themselves comes as "event"', async () => {
        const customer = await addCustomer(site.admin);
        const listener = await connect({ auth: { token: token(), customer } });
        await listener.named('subscribed');
        for (const event_type of ['disconnect', 'error']) {
            const answer = await site.admin.post('/contact-events', {
                contact_id: customer, event_type, category: 'general', title: 'Odd',
            });
            assert.equal(answer.status, 201, answer.text);
        }
        const events = await listener.named('event', 2);
        assert.deepEqual(events.map(({ event_type }) => event_type), ['disconnect', 'error']);
        assert.equal(listener.socket.connected, true);
        listener.close();
    });

    test('lead:contacted goes to who has the lead open', async () => {
        const lead = await addCustomer(site.admin);
        const listener = await connect({ auth: { token: token(), customer: lead } });
        await listener.named('subscribed');
        const answer = await site.admin.post('/interactions', {
            customer_id: lead, type: 'email', direction: 'outbound', subject: 'Hello',
            started_at: new Date(Date.now() - 60_000).toISOString(),
        });
        assert.equal(answer.status, 201, answer.text);
        const [logged] = await listener.named('interaction_logged');
        const [contacted] = await listener.named('lead:contacted');
        assert.deepEqual(Object.keys(contacted).sort(), ['eventId', 'leadId', 'method', 'userId', 'userName']);
        assert.equal(contacted.leadId, lead);
        assert.equal(contacted.method, 'email');
        assert.equal(contacted.eventId, logged.id);
        assert.equal(contacted.userId, site.tenant.user.id);
        const names = listener.heard.map(([name]) => name);
        assert.equal(names.indexOf('lead:contacted'), names.indexOf('interaction_logged') + 1);
        listener.close();
    });

    test('another tenant\'s customer is an unknown one', async () => {
        const stranger = await site.site.createTenant(`Other ${randomBytes(4).toString('hex')}`, 'admin@other.example');
        const theirs = await addCustomer(site.server.client(stranger.key));
        const listener = await connect();
        const foreign = await listener.ask('subscribe', { customer: theirs });
        assert.equal(foreign.status, 404);
        assert.deepEqual(foreign, await listener.ask('subscribe', { customer: unknown }));
        const follower = await connect({ auth: { token: token(), feed: 'tenant' } });
        await follower.named('subscribed');
        await addNote(site.server.client(stranger.key), theirs, 'secret');
        const mine = await addCustomer(site.admin);
        await addNote(site.admin, mine, 'mine');
        const [note] = await follower.named('note_added');
        assert.equal(note.contact_id, mine);
        listener.close();
        follower.close();
    });

    test('commands that are wrong are told, and nothing more', async () => {
        const listener = await connect();
        const status = async (name: string, data?: Json) => (await listener.ask(name, data)).status;
        assert.equal(await status('subscribe', { customer: 'x' }), 422);
        assert.equal(await status('subscribe', {}), 422);
        assert.equal(await status('subscribe'), 422);
        assert.equal(await status('dance', {}), 422);
        assert.equal(await status('ack', { id: unknown }), 404);
        assert.equal(await status('presence', { customer: unknown, state: 'viewing' }), 404);
        listener.socket.emit('subscribe', 'x');
        listener.socket.emit('subscribe', { feed: 'mine' }, 2);
        listener.socket.emit('subscribe', { op: 'ack', feed: 'moon', ref: 'mine' });
        const told = await listener.named('error', 3);
        assert.deepEqual(told.map((error) => [error.status, error.ref]), [[400, undefined], [400, undefined], [422, 'mine']]);
        assert.equal(listener.socket.connected, true);
        listener.close();
    });

    test('who else has the customer open is shown', async () => {
        const customer = await addCustomer(site.admin);
        const { user, client } = await addPerson(site.admin, 'agent');
        const key = (await client.post('/keys', { name: 'screen' })).body.key;
        const one = await connect({ auth: { token: token(), customer } });
        const two = await connect({ auth: { token: key, customer } });
        await one.named('subscribed');
        await two.named('subscribed');
        two.socket.emit('presence', { customer, state: 'writing' });
        await one.until(() => one.heard.some(([name, data]) => name === 'presence' && JSON.stringify(data).includes(user.id) &&
            JSON.stringify(data).includes('writing')), 'no presence');
        two.close();
        await one.until(() => one.heard.some(([name, data]) => name === 'presence' && JSON.stringify(data).includes(user.id) &&
            JSON.stringify(data).includes('left')), 'it does not leave');
        one.close();
    });

    test('it goes on behind the last event, also over a restart', async () => {
        const customer = await addCustomer(site.admin);
        const port = new URL(site.server.url).port;
        let since: string | undefined;
        const listener = await Listener.connect(site.server.url, {
            reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100,
            auth: (give) => give({ token: token(), customer, ...(since && { since }) }),
        });
        listener.socket.on('note_added', (event: Json) => (since = event.id));
        await listener.named('subscribed');
        await addNote(site.admin, customer, 'before');
        await listener.named('note_added');
        await site.restart('--listen', `127.0.0.1:${port}`);
        // It may be back before, between or after these.
        for (let i = 0; i < 5; i++) await addNote(site.admin, customer, `after ${i}`);
        await listener.named('subscribed', 2);
        const notes = await listener.named('note_added', 6);
        assert.equal(new Set(notes.map(({ id }) => id)).size, 6);
        assert.equal(notes.length, 6);

        // The connection breaks without a word.
        listener.socket.io.engine.close();
        await addNote(site.admin, customer, 'last');
        const all = await listener.named('note_added', 7);
        assert.equal(new Set(all.map(({ id }) => id)).size, 7);
        listener.close();

        const lost = await connect({ auth: { token: token(), customer, since: unknown } });
        assert.deepEqual(await lost.named('resync'), [{ op: 'resync', customer }]);
        lost.close();
    });

    test('rights that are withdrawn are gone', async () => {
        const key = (await site.admin.post('/keys', { name: 'short' })).body;
        const listener = await connect({ auth: { token: key.key, feed: 'tenant' }, reconnection: true });
        await listener.named('subscribed');
        assert.equal((await site.admin.del(`/keys/${key.id}`)).status, 204);
        await listener.until(() => listener.disconnected !== null, 'it stays');
        // What tells a client not to come again by itself.
        assert.equal(listener.disconnected, 'io server disconnect');
        const [error] = await listener.named('error');
        assert.equal(error.status, 401);
        listener.close();
    });

    protocol(site);
});

/** Below the client: what no well-behaved one sends, and what it is told. */
function protocol(site: Running): void {
    const at = (query: string) => `/socket.io/?EIO=4&transport=polling${query}`;

    const raw = async (method: string, target: string, body = '', more = ''): Promise<RawAnswer> => {
        const connection = await RawConnection.open(site.server.url);
        try {
            const length = method === 'POST' ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
            connection.send(Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${length}${more}\r\n${body}`));
            return (await connection.answers(1))[0]!;
        } finally {
            connection.destroy();
        }
    };
    const open = async (): Promise<string> => {
        const { status, body } = await raw('GET', at(''));
        assert.equal(status, 200, body);
        assert.equal(body[0], '0');
        return JSON.parse(body.slice(1)).sid;
    };
    const isOver = async (sid: string) => {
        const { status, body } = await raw('POST', at(`&sid=${sid}`), '40');
        assert.equal(status, 400);
        assert.equal(JSON.parse(body).message, 'Session ID unknown');
    };

    test('the handshake, and what it refuses', async () => {
        const answer = await site.anonymous.get('//socket.io/?EIO=4&transport=polling&t=abc&b64=1');
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
        const { sid, ...others } = JSON.parse(answer.text.slice(1));
        assert.match(sid, /^[0-9a-f]{32}$/);
        assert.deepEqual(others, { upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 16384 });
        const posted = await site.anonymous.post(`//socket.io/?EIO=4&transport=polling&sid=${sid}`, '40', {
            headers: { 'content-type': 'text/plain;charset=UTF-8' },
        });
        assert.equal(posted.status, 200);
        assert.equal(posted.text, 'ok');

        const wrong: [string, string, number, string][] = [
            ['GET', '/socket.io/?EIO=4&transport=pigeon', 0, 'Transport unknown'],
            ['GET', '/socket.io/?EIO=4', 0, 'Transport unknown'],
            ['GET', at('&sid=nobody'), 1, 'Session ID unknown'],
            ['POST', at(`&sid=${'0'.repeat(32)}`), 1, 'Session ID unknown'],
            ['POST', at(''), 2, 'Bad handshake method'],
            ['GET', '/socket.io/?EIO=4&transport=websocket', 3, 'Bad request'],
            ['GET', at('&j=0'), 3, 'Bad request'],
            ['GET', '/socket.io/?EIO=3&transport=polling', 5, 'Unsupported protocol version'],
            ['GET', '/socket.io/?transport=polling', 5, 'Unsupported protocol version'],
        ];
        for (const [method, target, code, message] of wrong) {
            const { status, body, headers } = await raw(method, target);
            assert.equal(status, 400, target);
            assert.equal(headers['content-type'], 'application/problem+json');
            const told = JSON.parse(body);
            assert.deepEqual([told.code, told.message, told.status], [code, message, 400], target);
        }
        assert.equal((await raw('GET', at(`&custom=1&custom=2&${'x'.repeat(4000)}`))).status, 200);
        assert.equal((await raw('GET', at('&custom=%f'))).status, 400);
        assert.equal((await raw('GET', at(`&t=${'x'.repeat(65)}`))).status, 422);
        const one = await Listener.connect(site.server.url, { query: { custom: 'ü 1' }, auth: { token: site.tenant.key } });
        one.close();
        assert.equal((await fetch(site.server.url + at(''), { method: 'HEAD' })).status, 405);
        assert.equal((await raw('PUT', at(''), '', 'Content-Length: 0\r\n')).status, 405);
        const old = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n';
        assert.equal((await raw('GET', '/socket.io/?EIO=4&transport=websocket', '', old)).status, 426);
    });

    test('rubbish is told why, and only its own session ends', async () => {
        const others = await Listener.connect(site.server.url, { transports: ['polling'], auth: { token: site.tenant.key } });
        const rubbish = ['abc', '', '4', '4abc', '42["early"]', '2', 'b4AAEC', '40\u001e', '4\u0000', '45-[]', 'x'.repeat(20_000)];
        for (const body of rubbish) {
            const sid = await open();
            const { status, body: text } = await raw('POST', at(`&sid=${sid}`), body);
            assert.equal(status, 400, JSON.stringify(body.slice(0, 40)));
            const told = JSON.parse(text);
            assert.deepEqual([told.code, told.message], [3, 'Bad request']);
            assert.ok(told.detail.length > 10 && told.detail !== 'Bad request', told.detail);
            await isOver(sid);
        }
        assert.equal((await others.ask('subscribe', { feed: 'tenant' })).op, 'subscribed');
        others.close();
    });

    test('rubbish of who has connected', async () => {
        const key = `40${JSON.stringify({ token: site.tenant.key })}`;
        for (const body of ['42{}', '42[]', '42[1]', '42["a"', '40', '44{}', '42/admin,["a"]', '42', '451-["a",{"_placeholder":true,"num":0}]']) {
            const sid = await open();
            assert.equal((await raw('POST', at(`&sid=${sid}`), key)).body, 'ok');
            assert.match((await raw('GET', at(`&sid=${sid}`))).body, /^40\{"sid":"[0-9a-f]{32}"\}$/);
            assert.equal((await raw('POST', at(`&sid=${sid}`), body)).status, 400, body);
            await isOver(sid);
        }
        // It disconnects, and may connect again over the same session.
        const sid = await open();
        assert.equal((await raw('POST', at(`&sid=${sid}`), key)).body, 'ok');
        assert.match((await raw('GET', at(`&sid=${sid}`))).body, /^40/);
        assert.equal((await raw('POST', at(`&sid=${sid}`), `41\u001e${key}`)).body, 'ok');
        assert.match((await raw('GET', at(`&sid=${sid}`))).body, /^40/);
        assert.equal((await raw('POST', at(`&sid=${sid}`), '1')).body, 'ok');
        await isOver(sid);
    });

    test('two polls at once end the session, and so does one that is given up', async () => {
        const sid = await open();
        const both = await Promise.all([raw('GET', at(`&sid=${sid}`)), raw('GET', at(`&sid=${sid}`))]);
        both.sort((a, b) => a.status - b.status);
        assert.deepEqual(both.map(({ status }) => status), [200, 400]);
        assert.equal(both[0]!.body, '1');
        assert.equal(JSON.parse(both[1]!.body).message, 'Bad request');
        await isOver(sid);

        const given = await open();
        const third = await RawConnection.open(site.server.url);
        third.send(`GET ${at(`&sid=${given}`)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        third.destroy();
        for (let tries = 0; ; tries++) {
            const { status } = await raw('POST', at(`&sid=${given}`), '3');
            if (status === 400) break;
            assert.ok(tries < 500, 'the session goes on');
            await new Promise((resolve) => setTimeout(resolve, 10));
        }
    });

    test('the upgrade by hand: probe, release, upgrade; then polling is over', async () => {
        const sid = await open();
        const waiting = raw('GET', at(`&sid=${sid}`));
        const target = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
        const socket = await RawWebSocket.open(site.server.url, target, {});
        socket.connection.send(frame(FIN | TEXT, '2probe'));
        assert.equal((await socket.next())!.payload.toString(), '3probe');
        assert.equal((await waiting).body, '6');
        socket.connection.send(frame(FIN | TEXT, '5'));
        socket.connection.send(frame(FIN | TEXT, `40${JSON.stringify({ token: site.tenant.key })}`));
        assert.match((await socket.next())!.payload.toString(), /^40\{"sid"/);
        for (const method of ['GET', 'POST']) {
            const { status, body } = await raw(method, at(`&sid=${sid}`), '3');
            assert.deepEqual([status, JSON.parse(body).code], [400, 3]);
        }
        socket.connection.send(frame(FIN | BINARY, 'x'));
        const last = (await socket.next())!;
        assert.equal(last.payload.readUInt16BE(0), 1003);
        socket.connection.destroy();
        await isOver(sid);
    });
}
