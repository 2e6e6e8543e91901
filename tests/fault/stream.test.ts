// kill -9 of a server that 200 clients listen to while others write: each client connects again
// by the last event that it has, and in the end has seen every event once, in one order. Who
// resumes by time instead must be caught. TOUCHPOINT_TEST_KILLS says how many kills.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { Client, Json } from '../kit/client.ts';
import { Server, Site } from '../kit/server.ts';
import type { Store } from '../kit/stores.ts';

const KILLS = Number(process.env['TOUCHPOINT_TEST_KILLS'] ?? 4);
const CLIENTS = 200;
const CUSTOMERS = 20;
const WRITERS = 8;
const TIMEOUT = { timeout: 120_000 + KILLS * 15_000 };

interface Scene {
    site: Site;
    server: Server;
    key: string;
    customers: string[];
    stopped: boolean;
}

/** One client of one customer, for as long as the scene lasts. */
class Listener {
    readonly ids: string[] = [];
    readonly titles = new Set<string>();
    private last: Json | null = null;
    private socket: WebSocket | null = null;

    constructor(
        private readonly scene: Scene,
        readonly customer: string,
        private readonly byTime: boolean,
    ) {}

    private take(event: Json): void {
        this.ids.push(event.id);
        this.titles.add(event.title);
        this.last = event;
    }

    /** What a client does that has no ids to resume by: the timeline behind its last instant. */
    private async readBehind(): Promise<void> {
        const from = this.last.occurred_at;
        const { body } = await this.scene.server.client(this.scene.key)
            .get(`/customers/${this.customer}/events?limit=500&from=${encodeURIComponent(from)}`);
        for (const event of body.events.reverse()) if (event.occurred_at > from) this.take(event);
    }

    /** Until the connection is subscribed; comes back by itself when that is lost. */
    async connect(): Promise<void> {
        while (!this.scene.stopped) {
            if (await this.attempt().catch(() => false)) return;
            await sleep(20);
        }
    }

    private attempt(): Promise<boolean> {
        const query = new URLSearchParams({ customer: this.customer });
        if (this.last !== null && !this.byTime) query.set('since', this.last.id);
        const socket = new WebSocket(`${this.scene.server.url.replace(/^http/, 'ws')}/api/v1/stream?${query}`,
            { headers: { authorization: `Bearer ${this.scene.key}` } });
        this.socket = socket;
        return new Promise((resolve, reject) => {
            let isSubscribed = false;
            socket.on('error', reject);
            socket.on('close', () => {
                if (isSubscribed) void this.connect();
                else reject(new Error('closed'));
            });
            socket.on('message', (data) => {
                const frame = JSON.parse(data.toString());
                if (frame.op === 'event') {
                    this.take(frame.event);
                } else if (frame.op === 'subscribed') {
                    isSubscribed = true;
                    if (this.byTime && this.last !== null) this.readBehind().catch(() => undefined).finally(() => resolve(true));
                    else resolve(true);
                } else {
                    this.titles.add(`unexpected ${data}`);
                }
            });
        });
    }

    drop(): void {
        this.socket?.terminate();
    }
}

/** Writes until the server is gone; the titles of what was acknowledged. */
async function write(scene: Scene, client: Client, acknowledged: Map<string, string>): Promise<void> {
    for (let gone = false; !gone; ) {
        const customer = scene.customers[Math.floor(Math.random() * CUSTOMERS)]!;
        const occurred = new Date(Date.now() - Math.floor(Math.random() * 2000)).toISOString(); // others' clocks
        await client.post('/contact-events', { contact_id: customer, event_type: 'page_viewed', category: 'tracking', title: 'A page', occurred_at: occurred })
            .then(({ status, body }) => (status === 201 ? acknowledged.set(body.id, customer) : undefined), () => (gone = true));
    }
}

/** What is wrong with what the clients saw, in words. */
async function findings(store: Store, kills: number, byTime: boolean): Promise<string[]> {
    const site = await Site.create(store);
    const flags = ['--rate', '0', '--quiet'];
    const { key } = await site.createTenant('Acme', 'admin@acme.example');
    const scene: Scene = { site, server: await Server.start(site, ...flags), key, customers: [], stopped: false };
    const acknowledged = new Map<string, string>();
    const faults: string[] = [];
    let listeners: Listener[] = [];
    try {
        const admin = (): Client => scene.server.client(key);
        for (let i = 0; i < CUSTOMERS; i++) scene.customers.push((await admin().post('/customers', { name: `Customer ${i}` })).body.id);
        listeners = Array.from({ length: CLIENTS }, (_, i) => new Listener(scene, scene.customers[i % CUSTOMERS]!, byTime));
        await Promise.all(listeners.map((listener) => listener.connect()));
        // A place for each to resume from, and the beginning of what is compared.
        for (const customer of scene.customers)
            await admin().post('/contact-events', { contact_id: customer, event_type: 'page_viewed', category: 'tracking', title: 'begin' });
        await all(listeners, 'begin');
        for (let kill = 0; kill < kills; kill++) {
            const client = admin();
            const writers = Array.from({ length: WRITERS }, () => write(scene, client, acknowledged));
            await sleep(100 + Math.random() * 300);
            await scene.server.kill();
            await Promise.all(writers);
            scene.server = await Server.start(site, ...flags);
        }
        for (const customer of scene.customers)
            await admin().post('/contact-events', { contact_id: customer, event_type: 'page_viewed', category: 'tracking', title: 'end' });
        await all(listeners, 'end').catch(({ message }: Error) => faults.push(`missing: ${message}`));
        scene.stopped = true;
        for (const customer of scene.customers)
            faults.push(...await compare(admin(), customer, listeners.filter((one) => one.customer === customer), acknowledged));
    } finally {
        scene.stopped = true;
        for (const listener of listeners) listener.drop();
        await scene.server.stop();
        await site.remove();
    }
    return faults;
}

async function all(listeners: Listener[], title: string): Promise<void> {
    for (const until = Date.now() + 30_000; listeners.some(({ titles }) => !titles.has(title)); await sleep(10))
        if (Date.now() > until) throw new Error(`${listeners.filter(({ titles }) => !titles.has(title)).length} clients did not see "${title}"`);
}

async function compare(client: Client, customer: string, listeners: Listener[], acknowledged: Map<string, string>): Promise<string[]> {
    const faults: string[] = [];
    const stored = new Set<string>();
    for (let page = '/customers/' + customer + '/events?limit=500'; ; ) {
        const { body } = await client.get(page);
        for (const event of body.events) if (event.event_type === 'page_viewed') stored.add(event.id);
        if (body.next_cursor === null) break;
        page = `/customers/${customer}/events?limit=500&cursor=${encodeURIComponent(body.next_cursor)}`;
    }
    for (const [id, of] of acknowledged) if (of === customer && !stored.has(id)) faults.push(`${id} was acknowledged and is lost`);
    const order = listeners[0]!.ids.filter((id) => stored.has(id));
    for (const [i, listener] of listeners.entries()) {
        const seen = listener.ids.filter((id) => stored.has(id));
        const unique = new Set(seen);
        if (unique.size !== seen.length) faults.push(`client ${i}: ${seen.length - unique.size} twice`);
        if (unique.size !== stored.size) faults.push(`client ${i}: ${stored.size - unique.size} of ${stored.size} missing`);
        if (seen.some((id, at) => id !== order[at])) faults.push(`client ${i}: another order`);
        for (const title of listener.titles) if (/^unexpected/.test(title)) faults.push(`client ${i}: ${title}`);
    }
    return faults;
}

test(`SQLite: after ${KILLS} kills every client has seen every event once, in order`, TIMEOUT, async () => {
    assert.deepEqual(await findings('sqlite', KILLS, false), []);
});

test(`PostgreSQL: after ${KILLS} kills every client has seen every event once, in order`, TIMEOUT, async () => {
    assert.deepEqual(await findings('postgres', KILLS, false), []);
});

test('control: who resumes by time is caught', TIMEOUT, async () => {
    const faults = await findings('sqlite', 2, true).catch((error: Error) => [error.message]);
    assert.notDeepEqual(faults, []);
    assert.ok(faults.some((fault) => /missing|twice/.test(fault)), faults.slice(0, 5).join('\n'));
});
