// A server under test: its own data folder or database, a free port, and an end that
// counts: a bad exit or a word from a sanitizer fails the test that stops it.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from './client.ts';
import { binary, temporaryDir } from './places.ts';
import { createDatabase, dropDatabase } from './postgres.ts';
import { deadline, Process, run, sanitizerReport, type Finished } from './process.ts';
import type { Store } from './stores.ts';

/** Where a server keeps what it knows; outlives the server, so that one can start again on it. */
export class Site {
    private constructor(
        readonly store: Store,
        readonly dataDir: string,
        readonly databaseUrl: string | null,
        private readonly pool: Pool | null = null,
        private readonly isFirst = true,
    ) {}

    /** `pool`: what stands between PostgreSQL and whoever uses the site. */
    static async create(store: Store, pool: Pool | null = null): Promise<Site> {
        return new Site(store, temporaryDir('data'), store === 'postgres' ? await createDatabase() : null, pool);
    }

    /** Another node's folder over the same database. */
    another(): Site {
        return new Site(this.store, temporaryDir('data'), this.databaseUrl, this.pool, false);
    }

    /** The flags that name it to any command. */
    flags(): string[] {
        const flags = ['--data', this.dataDir];
        if (this.databaseUrl === null) return flags;
        if (this.pool === null) return [...flags, '--db', this.databaseUrl];
        return [...flags, '--db', this.pool.urlOf(this.databaseUrl), '--db-pooled'];
    }

    /** Runs `touchpoint ...args` on it: `await site.command('key', 'create', '--user', email)`. */
    async command(...args: string[]): Promise<Finished> {
        const result = await run(binary, [...args, ...this.flags()]);
        const report = sanitizerReport(result.stderr);
        if (report !== null) throw new Error(`touchpoint ${args.join(' ')}: ${report}`);
        return result;
    }

    /** The same for commands that answer JSON; anything but success is an error. */
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    async commandJson(...args: string[]): Promise<any> {
        const { code, signal, stdout, stderr } = await this.command(...args);
        if (code !== 0) throw new Error(`touchpoint ${args.join(' ')}: ${code ?? signal}\n${stderr}`);
        return JSON.parse(stdout);
    }

    /** A tenant with an administrator and a key of theirs. */
    createTenant(name: string, email: string): Promise<NewTenant> {
        return this.commandJson('tenant', 'create', name, '--admin', email, '--key');
    }

    async remove(): Promise<void> {
        rmSync(this.dataDir, { recursive: true, force: true });
        if (this.databaseUrl !== null && this.isFirst) await dropDatabase(this.databaseUrl);
    }
}

export interface Pool {
    /** The same database, by way of the pool. */
    urlOf(databaseUrl: string): string;
}

export interface NewTenant {
    tenant: { id: string; slug: string };
    user: { id: string; email: string };
    key: string;
}

export class Server {
    private readonly connection: Connection;
    private readonly sockets: Connection[] = [];
    /** Without credentials. */
    readonly anonymous: Client;

    private constructor(
        private readonly process: Process,
        readonly url: string,
        private readonly dataDir: string,
        ca?: string,
    ) {
        this.connection = new Connection(url, undefined, ca);
        this.anonymous = new Client(this.connection);
    }

    /** `extra` are further flags of `touchpoint serve`. */
    static start(site: Site, ...extra: string[]): Promise<Server> {
        return Server.startWith([], site, ...extra);
    }

    /** The same by a command that runs the one that follows it. */
    static async startWith(runner: string[], site: Site, ...extra: string[]): Promise<Server> {
        const args = [...runner, binary, 'serve', '--listen', '127.0.0.1:0', ...site.flags(), ...extra];
        const process = new Process(args[0]!, args.slice(1));
        process.child.stdin!.end();
        try {
            const line = await process.firstLine(30_000);
            const match = /^listening on (https?:\/\/\S+)$/.exec(line);
            if (match === null) throw new Error(`unexpected first line: ${JSON.stringify(line)}`);
            const certificate = extra[extra.indexOf('--tls-certificate') + 1]!;
            const ca = match[1]!.startsWith('https:') ? readFileSync(certificate, 'utf8') : undefined;
            return new Server(process, match[1]!, site.dataDir, ca);
        } catch (error) {
            process.kill('SIGKILL');
            throw error;
        }
    }

    /** The operator: who can open the socket in the data folder. The tenant is named by slug. */
    operator(tenant = 'acme'): Client {
        const socket = new Connection(this.url, join(this.dataDir, 'touchpoint.sock'));
        this.sockets.push(socket);
        return new Client(socket, { 'x-touchpoint-tenant': tenant });
    }

    client(key: string): Client {
        return this.anonymous.withKey(key);
    }

    get pid(): number {
        return this.process.child.pid!;
    }

    /** Its log so far: one JSON object a line. */
    get log(): string {
        return this.process.stderr;
    }

    signal(signal: NodeJS.Signals): void {
        this.process.kill(signal);
    }

    finished(): Promise<Finished> {
        return this.process.finished;
    }

    private closeConnections(): void {
        for (const connection of [this.connection, ...this.sockets]) connection.close();
    }

    /** SIGTERM, and what must follow: a clean end, with the sanitizers content. */
    async stop(): Promise<void> {
        this.closeConnections();
        this.process.kill('SIGTERM');
        let result: Finished;
        try {
            result = await Promise.race([
                this.process.finished,
                deadline(40_000, 'the server did not end after SIGTERM'),
            ]);
        } catch (error) {
            this.process.kill('SIGKILL');
            throw error;
        }
        const report = sanitizerReport(result.stderr);
        if (report !== null) throw new Error(report);
        if (result.code !== 0) {
            const end = result.code ?? result.signal;
            throw new Error(`the server ended with ${end}:\n${result.stderr.slice(-4000)}`);
        }
    }

    /** kill -9: no goodbye. */
    async kill(): Promise<void> {
        this.closeConnections();
        this.process.kill('SIGKILL');
        await this.process.finished;
    }
}
