// Speaks HTTP to a server under test and believes nothing: every answer is held to
// /openapi.json. For requests that are wrong on purpose below that, see raw.ts.
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { Agent as SecureAgent, request as requestSecure } from 'node:https';
import { Contract, type Document } from './openapi.ts';

/** JSON as it came: tests say what they expect of it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

export interface Answer {
    status: number;
    headers: IncomingHttpHeaders;
    /** Parsed where it is JSON, else the text; undefined where there is none. */
    body: Json;
    text: string;
}

export interface Options {
    headers?: Record<string, string>;
}

/** What all clients of one server share. */
export class Connection {
    readonly agent: Agent;
    private contract: Promise<Contract> | undefined;

    /**
     * `socketPath`: the owner-only socket in the data folder; who comes by it is the operator.
     * `ca`: the certificate that an https server must prove itself by.
     */
    constructor(
        readonly url: string,
        readonly socketPath?: string,
        ca?: string,
    ) {
        const options = { keepAlive: true, maxSockets: 64 };
        this.agent = this.isSecure ? new SecureAgent({ ...options, ca }) : new Agent(options);
    }

    get isSecure(): boolean {
        return this.socketPath === undefined && this.url.startsWith('https:');
    }

    openapi(): Promise<Contract> {
        this.contract ??= send(this, 'GET', '/openapi.json', {}, undefined).then(({ status, body }) => {
            if (status !== 200) throw new Error(`/openapi.json answered ${status}`);
            return new Contract(body as Document);
        });
        return this.contract;
    }

    close(): void {
        this.agent.destroy();
    }
}

export class Client {
    constructor(
        private readonly connection: Connection,
        private readonly headers: Record<string, string> = {},
    ) {}

    get url(): string {
        return this.connection.url;
    }

    /** The same server with other standing headers. */
    with(headers: Record<string, string>): Client {
        return new Client(this.connection, { ...this.headers, ...headers });
    }

    /** The same server with an API key; none if it is null. */
    withKey(key: string | null): Client {
        const { authorization: _, ...others } = this.headers;
        return new Client(
            this.connection,
            key === null ? others : { ...others, authorization: `Bearer ${key}` },
        );
    }

    /**
     * A path under /api/v1, or from the root if it starts with "//" ("//healthz").
     * A body is sent as JSON, unless it is a string or bytes: those go as they are.
     */
    async request(method: string, path: string, body?: Json, options: Options = {}): Promise<Answer> {
        const target = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`;
        const headers: Record<string, string> = { ...this.headers, ...options.headers };
        let bytes: Buffer | undefined;
        if (body !== undefined) {
            const plain = typeof body === 'string' || body instanceof Uint8Array;
            bytes = Buffer.from(plain ? body : JSON.stringify(body));
            const names = Object.keys(headers).map((name) => name.toLowerCase());
            if (!names.includes('content-type')) {
                headers['content-type'] =
                    method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
            }
        }
        const contract = await this.connection.openapi();
        const answer = await send(this.connection, method, target, headers, bytes);
        contract.check(method, target, answer.status, answer.headers['content-type'] ?? '', answer.body);
        return answer;
    }

    get(path: string, options?: Options): Promise<Answer> {
        return this.request('GET', path, undefined, options);
    }
    post(path: string, body?: Json, options?: Options): Promise<Answer> {
        return this.request('POST', path, body, options);
    }
    put(path: string, body?: Json, options?: Options): Promise<Answer> {
        return this.request('PUT', path, body, options);
    }
    patch(path: string, body?: Json, options?: Options): Promise<Answer> {
        return this.request('PATCH', path, body, options);
    }
    del(path: string, options?: Options): Promise<Answer> {
        return this.request('DELETE', path, undefined, options);
    }

    openapi(): Promise<Contract> {
        return this.connection.openapi();
    }
}

function send(
    connection: Connection,
    method: string,
    target: string,
    headers: Record<string, string>,
    body: Buffer | undefined,
): Promise<Answer> {
    return new Promise((resolve, reject) => {
        const { hostname, port } = new URL(connection.url);
        const length = body === undefined ? {} : { 'content-length': String(body.length) };
        const outgoing = (connection.isSecure ? requestSecure : request)(
            {
                agent: connection.agent,
                ...(connection.socketPath === undefined
                    ? { hostname: hostname.replace(/^\[|\]$/g, ''), port }
                    : { socketPath: connection.socketPath }),
                method,
                path: target,
                headers: { ...headers, ...length },
                timeout: 60_000,
            },
            (incoming) => {
                const chunks: Buffer[] = [];
                incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
                incoming.on('error', reject);
                incoming.on('end', () => {
                    try {
                        const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
                        const isJson = /[/+]json\b/.test(incoming.headers['content-type'] ?? '');
                        const body = text === '' ? undefined : isJson ? JSON.parse(text) : text;
                        resolve({ status: incoming.statusCode!, headers: incoming.headers, body, text });
                    } catch (error) {
                        reject(new Error(`${method} ${target}: ${String(error)}`));
                    }
                });
            },
        );
        outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${target}: no answer`)));
        outgoing.on('error', reject);
        outgoing.end(body);
    });
}
