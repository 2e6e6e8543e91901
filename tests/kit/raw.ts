// Bytes to a socket and bytes back, for what no well-behaved client would send.
import { connect, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadline } from './process.ts';

export interface RawAnswer {
    status: number;
    /** Names in lower case; repeated ones joined by ", ". */
    headers: Record<string, string>;
    body: string;
}

export class RawConnection {
    received: Buffer = Buffer.alloc(0);
    /** The server has closed its side, in whichever way. */
    closed = false;
    private wake: () => void = () => undefined;

    private constructor(private readonly socket: Socket) {
        socket.on('data', (chunk: Buffer) => {
            this.received = Buffer.concat([this.received, chunk]);
            this.wake();
        });
        const close = () => {
            this.closed = true;
            this.wake();
        };
        socket.on('end', close).on('close', close).on('error', close);
    }

    static async open(url: string): Promise<RawConnection> {
        const { protocol, hostname, port } = new URL(url);
        const isSecure = protocol === 'https:'; // whose certificate it is, others look at
        const to = { host: hostname, port: Number(port), noDelay: true };
        const socket = isSecure ? connectSecure({ ...to, rejectUnauthorized: false }) : connect(to);
        const opened = isSecure ? 'secureConnect' : 'connect';
        await new Promise((resolve, reject) => socket.once(opened, resolve).once('error', reject));
        return new RawConnection(socket);
    }

    /** A string's characters are bytes ("\xff" is one). */
    send(bytes: string | Uint8Array): void {
        this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    }

    /** One byte at a time, each in a segment of its own. */
    async sendSlowly(bytes: string, pauseMs = 0): Promise<void> {
        for (const byte of Buffer.from(bytes, 'latin1')) {
            if (this.closed) return;
            this.socket.write(Uint8Array.of(byte));
            await sleep(pauseMs);
        }
    }

    /** No more will be sent; what comes is still read. */
    end(): void {
        this.socket.end();
    }

    /** Waits until the server has closed; gives all whole answers that came. */
    async answersUntilClosed(withinMs = 15_000): Promise<RawAnswer[]> {
        await this.waitFor(() => this.closed, withinMs, 'the server did not close');
        return parseAnswers(this.received).answers;
    }

    /** Waits for `count` whole answers. */
    async answers(count: number, withinMs = 15_000): Promise<RawAnswer[]> {
        const enough = () => this.closed || parseAnswers(this.received).answers.length >= count;
        await this.waitFor(enough, withinMs, `not ${count} answers`);
        const { answers } = parseAnswers(this.received);
        if (answers.length < count) {
            throw new Error(`closed after ${answers.length} of ${count} answers`);
        }
        return answers;
    }

    destroy(): void {
        this.socket.destroy();
    }

    /** The next time that something comes, or it closes. */
    change(): Promise<void> {
        return new Promise((resolve) => (this.wake = resolve));
    }

    private async waitFor(done: () => boolean, withinMs: number, what: string): Promise<void> {
        const late = deadline(withinMs, what);
        late.catch(() => undefined);
        while (!done()) {
            await Promise.race([this.change(), late]);
        }
    }
}

/** Opens, sends, ends nothing, and waits for the server to close. */
export async function exchange(url: string, bytes: string): Promise<RawAnswer[]> {
    const connection = await RawConnection.open(url);
    try {
        connection.send(bytes);
        return await connection.answersUntilClosed();
    } finally {
        connection.destroy();
    }
}

/** Whole answers at the start of `bytes`, and what is left behind them. */
export function parseAnswers(bytes: Buffer): { answers: RawAnswer[]; rest: Buffer } {
    const answers: RawAnswer[] = [];
    for (let rest = bytes; ; ) {
        const headEnd = rest.indexOf('\r\n\r\n');
        if (headEnd < 0) return { answers, rest };
        const [statusLine = '', ...lines] = rest.subarray(0, headEnd).toString('latin1').split('\r\n');
        const match = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine);
        if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
        const status = Number(match[1]);
        const headers: Record<string, string> = {};
        for (const line of lines) {
            const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(.*)$/.exec(line);
            if (field === null) throw new Error(`not a header field: ${JSON.stringify(line)}`);
            const name = field[1]!.toLowerCase();
            headers[name] = name in headers ? `${headers[name]}, ${field[2]!}` : field[2]!;
        }
        if ('transfer-encoding' in headers) throw new Error('chunked answers are not read here');
        const none = status < 200 || status === 204 || status === 304;
        const length = none ? 0 : Number(headers['content-length'] ?? '0');
        const bodyStart = headEnd + 4;
        if (rest.length < bodyStart + length) return { answers, rest };
        const body = rest.subarray(bodyStart, bodyStart + length).toString('utf8');
        answers.push({ status, headers, body });
        rest = rest.subarray(bodyStart + length);
    }
}
