// A WebSocket client that can do everything wrong: frames by hand over a raw connection.
import { createHash, randomBytes } from 'node:crypto';
import { RawConnection } from './raw.ts';
import { deadline } from './process.ts';

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
export const FIN = 0x80;

const MASK = [0x37, 0xfa, 0x21, 0x3d];

function bytesOf(payload: string | Uint8Array): Buffer {
    return Buffer.from(payload as string, 'utf8');
}

/** A client's frame in the shortest form; `first` is its first byte: FIN and the opcode. */
export function frame(first: number, payload: string | Uint8Array = ''): Buffer {
    const bytes = bytesOf(payload);
    let head = Buffer.from([first, 0x80 | bytes.length]);
    if (bytes.length > 65535) {
        head = Buffer.alloc(10);
        head.set([first, 0x80 | 127]);
        head.writeBigUInt64BE(BigInt(bytes.length), 2);
    } else if (bytes.length > 125) {
        head = Buffer.alloc(4);
        head.set([first, 0x80 | 126]);
        head.writeUInt16BE(bytes.length, 2);
    }
    return Buffer.concat([head, Buffer.from(MASK), bytes.map((byte, i) => byte ^ MASK[i % 4]!)]);
}

export function closeFrame(code: number, reason: string | Uint8Array = ''): Buffer {
    return frame(FIN | CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), bytesOf(reason)]));
}

/** What the server has to answer to a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
    return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export interface ServerFrame {
    opcode: number;
    payload: Buffer;
}

export class RawWebSocket {
    private at = 0;

    private constructor(
        readonly connection: RawConnection,
        readonly head: string,
    ) {}

    /** Headers that ask for a WebSocket; `over` changes or (null) takes away some. */
    static headers(over: Record<string, string | null> = {}): Record<string, string> {
        const all: Record<string, string | null> = {
            Host: 'localhost', Connection: 'Upgrade', Upgrade: 'websocket',
            'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64'), ...over,
        };
        return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null));
    }

    static request(target: string, headers: Record<string, string>, line = `GET ${target} HTTP/1.1`): string {
        return [line, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
    }

    /** Opens, sends the handshake with `early` behind it, and waits for the head of the answer. */
    static async open(url: string, target: string, over: Record<string, string | null>, early: Uint8Array = Buffer.alloc(0)): Promise<RawWebSocket> {
        const connection = await RawConnection.open(url);
        const headers = RawWebSocket.headers(over);
        connection.send(Buffer.concat([Buffer.from(RawWebSocket.request(target, headers)), early]));
        let end: number;
        while ((end = connection.received.indexOf('\r\n\r\n')) < 0) {
            if (connection.closed) throw new Error('closed without an answer');
            await connection.change();
        }
        const head = connection.received.subarray(0, end).toString('latin1');
        if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(connection.received.toString('utf8'));
        if (!head.includes(`\r\nSec-WebSocket-Accept: ${acceptOf(headers['Sec-WebSocket-Key']!)}`)) throw new Error(head);
        const socket = new RawWebSocket(connection, head);
        socket.at = end + 4;
        return socket;
    }

    send(...frames: Uint8Array[]): void {
        this.connection.send(Buffer.concat(frames));
    }

    /** The next frame of the server, or null at the end. Every rule for servers is checked. */
    async next(withinMs = 15_000): Promise<ServerFrame | null> {
        const late = deadline(withinMs, 'no frame came');
        late.catch(() => undefined);
        for (;;) {
            const bytes = this.connection.received.subarray(this.at);
            const found = parseFrame(bytes);
            if (found !== null) {
                this.at += found.length;
                return found;
            }
            if (this.connection.closed) {
                if (bytes.length > 0) throw new Error('the last frame was cut');
                return null;
            }
            await Promise.race([this.connection.change(), late]);
        }
    }

    /** The next text message, as JSON. */
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    async json(): Promise<any> {
        const got = await this.next();
        if (got?.opcode !== TEXT) throw new Error(`no text, but ${JSON.stringify(got)}`);
        return JSON.parse(got.payload.toString('utf8'));
    }

    /** Everything up to the end, one word or two a frame: "pong x", "error 400", "close 1007". */
    async rest(): Promise<string[]> {
        const said: string[] = [];
        for (let got = await this.next(); got !== null; got = await this.next()) said.push(saidBy(got));
        return said;
    }
}

function parseFrame(bytes: Buffer): (ServerFrame & { length: number }) | null {
    if (bytes.length < 2) return null;
    if ((bytes[0]! & 0x70) !== 0 || (bytes[0]! & FIN) === 0) throw new Error(`a server frame of ${bytes[0]}`);
    if ((bytes[1]! & 0x80) !== 0) throw new Error('a server masked its frame');
    const opcode = bytes[0]! & 0x0f;
    const short = bytes[1]!;
    const skip = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < skip) return null;
    const size = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if ((short === 126 && size < 126) || (short === 127 && size < 65536)) throw new Error('a length that is too long');
    if (bytes.length < skip + size) return null;
    return { opcode, payload: bytes.subarray(skip, skip + size), length: skip + size };
}

function saidBy({ opcode, payload }: ServerFrame): string {
    if (opcode === CLOSE) return `close ${payload.length === 0 ? '' : payload.readUInt16BE(0)}`;
    if (opcode === PONG) return `pong ${payload.toString('latin1')}`;
    if (opcode !== TEXT) return `opcode ${opcode}`;
    const { op, status, ref } = JSON.parse(payload.toString('utf8'));
    return op === 'error' ? `error ${status}${ref === undefined ? '' : ` ${ref}`}` : op;
}
