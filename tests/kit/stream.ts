// Clients of /api/v1/stream, by libraries that others wrote: ws and eventsource.
import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import type { Json } from './client.ts';

const PATIENCE_MS = 15_000;

export interface StreamOptions {
    /** Of the URL. */
    query?: Record<string, string>;
    headers?: Record<string, string>;
}

function target(url: string, query: Record<string, string> = {}): string {
    const text = new URLSearchParams(query).toString();
    return `${url}/api/v1/stream${text === '' ? '' : `?${text}`}`;
}

/** Frames as they came; each is waited for and taken once. */
class Frames {
    readonly all: Json[] = [];
    private taken = new Set<Json>();
    private waiting: (() => void)[] = [];

    add(frame: Json): void {
        this.all.push(frame);
        for (const wake of this.waiting.splice(0)) wake();
    }

    private news(withinMs: number): Promise<void> {
        return new Promise((resolve) => {
            const timer = setTimeout(resolve, withinMs);
            this.waiting.push(() => {
                clearTimeout(timer);
                resolve();
            });
        });
    }

    /** The first that fits and was not taken before. */
    async next(fits: (frame: Json) => boolean, what: string): Promise<Json> {
        for (const until = Date.now() + PATIENCE_MS; ; ) {
            const found = this.all.find((frame) => !this.taken.has(frame) && fits(frame));
            if (found !== undefined) {
                this.taken.add(found);
                return found;
            }
            const left = until - Date.now();
            if (left <= 0) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
            await this.news(left);
        }
    }
}

abstract class Follower {
    protected readonly frames = new Frames();

    /** All events that came, in order. */
    get events(): Json[] {
        return this.frames.all.filter(({ op }) => op === 'event').map(({ event }) => event);
    }

    get all(): Json[] {
        return this.frames.all;
    }

    frame(op: string, fits: (frame: Json) => boolean = () => true): Promise<Json> {
        return this.frames.next((frame) => frame.op === op && fits(frame), `a frame ${op}`);
    }

    async event(type: string, fits: (event: Json) => boolean = () => true): Promise<Json> {
        const frame = await this.frames.next(
            ({ op, event }) => op === 'event' && event.event_type === type && fits(event),
            `an event ${type}; there are ${this.events.map(({ event_type }) => event_type).join(', ')}`);
        return frame.event;
    }

    abstract close(): void;
}

/** By WebSocket. */
export class Screen extends Follower {
    readonly closed: Promise<{ code: number; reason: string }>;
    private refs = 0;

    private constructor(readonly socket: WebSocket) {
        super();
        this.closed = new Promise((resolve) =>
            socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
        socket.on('message', (data) => this.frames.add(JSON.parse(data.toString())));
        socket.on('error', () => undefined);
    }

    /** Fails with the status where it is refused. */
    static async open(url: string, key: string | null, { query, headers }: StreamOptions = {}): Promise<Screen> {
        const socket = new WebSocket(target(url, query).replace(/^http/, 'ws'), {
            headers: { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
        });
        const screen = new Screen(socket);
        await new Promise<void>((resolve, reject) => {
            socket.on('open', () => resolve());
            socket.on('unexpected-response', (_, { statusCode }) => reject(new Error(`refused: ${statusCode}`)));
            socket.on('error', reject);
        });
        return screen;
    }

    say(frame: Json): void {
        this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
    }

    /** The frame that answers it. */
    ask(frame: Json): Promise<Json> {
        const ref = `r${(this.refs += 1)}`;
        this.say({ ...frame, ref });
        return this.frames.next((answer) => answer.ref === ref, `an answer to ${JSON.stringify(frame)}`);
    }

    async subscribe(what: { customer?: string; feed?: string; since?: string }): Promise<this> {
        const answer = await this.ask({ op: 'subscribe', ...what });
        if (answer.op !== 'subscribed') throw new Error(JSON.stringify(answer));
        return this;
    }

    /** Everything that was on its way here has come. */
    async settled(): Promise<this> {
        await this.ask({ op: 'unsubscribe', customer: '01890000-0000-7000-8000-000000000000' });
        return this;
    }

    close(): void {
        this.socket.close();
    }
    drop(): void {
        this.socket.terminate();
    }
}

/** By Server-Sent Events. */
export class Source extends Follower {
    private constructor(readonly source: EventSource) {
        super();
        for (const name of ['event', 'presence', 'read', 'resync', 'error', 'subscribed'])
            source.addEventListener(name, ({ data }: MessageEvent) => {
                if (data !== undefined) this.frames.add(JSON.parse(data));
            });
    }

    /** Subscribed, where it may. */
    static async open(url: string, key: string, query: Record<string, string>): Promise<Source> {
        const source = new Source(new EventSource(target(url, query), {
            fetch: (input, init) =>
                fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } }),
        }));
        await source.frames.next(() => true, 'a first frame');
        return source;
    }

    close(): void {
        this.source.close();
    }
}
