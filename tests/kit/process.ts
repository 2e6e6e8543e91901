// Child processes: started, listened to, and certain to end with the tests.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const running = new Set<ChildProcess>();

/** Nothing that the tests started outlives them, whichever way they end. */
function endAll(): void {
    for (const child of running) child.kill('SIGKILL');
}
process.once('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
}

export interface Finished {
    code: number | null;
    signal: NodeJS.Signals | null;
    stdout: string;
    stderr: string;
}

export class Process {
    stdout = '';
    stderr = '';
    readonly child: ChildProcess;
    readonly finished: Promise<Finished>;

    constructor(command: string, args: string[], options: SpawnOptions = {}) {
        this.child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
        running.add(this.child);
        this.child.stdin!.on('error', () => undefined); // it may end without reading
        this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
        this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
        this.finished = new Promise((resolve, reject) => {
            this.child.once('error', (error) => {
                running.delete(this.child);
                reject(error);
            });
            this.child.once('close', (code, signal) => {
                running.delete(this.child);
                resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
            });
        });
        this.finished.catch(() => undefined); // whoever waits for it sees the error
    }

    /** The first line on stdout. */
    async firstLine(withinMs: number): Promise<string> {
        const lines = createInterface({ input: this.child.stdout! });
        const line = once(lines, 'line').then(([text]) => String(text));
        const ended = this.finished.then(({ code, signal, stderr }) => {
            throw new Error(`ended before its first line (${code ?? signal}):\n${stderr}`);
        });
        try {
            return await Promise.race([line, ended, deadline(withinMs, 'no line on stdout')]);
        } finally {
            lines.close();
            this.child.stdout!.resume(); // closing the reader paused it
        }
    }

    kill(signal: NodeJS.Signals): void {
        this.child.kill(signal);
    }
}

/** Fails after `ms`, unless what it races against came first. Holds no process open. */
export function deadline(ms: number, what: string): Promise<never> {
    return new Promise((_, reject) => {
        setTimeout(() => reject(new Error(`${what} within ${ms} ms`)), ms).unref();
    });
}

/** Runs a command to its end. */
export async function run(
    command: string,
    args: string[],
    options: SpawnOptions & { input?: string; withinMs?: number } = {},
): Promise<Finished> {
    const { input, withinMs, ...spawnOptions } = options;
    const process = new Process(command, args, spawnOptions);
    process.child.stdin!.end(input ?? '');
    const timer = setTimeout(() => process.kill('SIGKILL'), withinMs ?? 60_000);
    try {
        return await process.finished;
    } finally {
        clearTimeout(timer);
    }
}

/** The same, and anything but success is an error that shows what it said. */
export async function runOk(
    command: string,
    args: string[],
    options: Parameters<typeof run>[2] = {},
): Promise<Finished> {
    const result = await run(command, args, options);
    if (result.code !== 0) {
        const end = result.code ?? result.signal;
        throw new Error(`${command} ${args.join(' ')}: ${end}\n${result.stdout}${result.stderr}`);
    }
    return result;
}

/** What the sanitizers say when they find something; null when they are content. */
export function sanitizerReport(stderr: string): string | null {
    const at = stderr.search(/(Address|Leak|Thread|Memory)Sanitizer|: runtime error: /);
    return at < 0 ? null : stderr.slice(Math.max(0, at - 200), at + 6000);
}
