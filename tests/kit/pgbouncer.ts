// PgBouncer in transaction mode before the run's PostgreSQL: consecutive transactions of a client
// may have different connections, so whatever a session would keep is lost.
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDir } from './places.ts';
import { psql } from './postgres.ts';
import { Process } from './process.ts';
import type { Pool } from './server.ts';

const PORT = 6432; // names its socket only
const NOBODY = 65534;

export class PgBouncer implements Pool {
    private constructor(
        private readonly dir: string,
        private readonly process: Process,
    ) {}

    /** Before the cluster of `databaseUrl`; `connections` to PostgreSQL for each database. */
    static async start(databaseUrl: string, connections: number): Promise<PgBouncer> {
        const cluster = parse(databaseUrl);
        const dir = temporaryDir('pool');
        const file = join(dir, 'pgbouncer.ini');
        const lines = [
            '[databases]',
            `* = host=${cluster.searchParams.get('host')}`,
            '[pgbouncer]',
            'listen_addr =',
            `listen_port = ${PORT}`,
            `unix_socket_dir = ${dir}`,
            'auth_type = trust',
            `auth_file = ${join(dir, 'users')}`,
            'pool_mode = transaction',
            `default_pool_size = ${connections}`,
            'max_client_conn = 200',
            'log_connections = 0',
            'log_disconnections = 0',
        ];
        writeFileSync(file, lines.join('\n') + '\n');
        writeFileSync(join(dir, 'users'), `"${cluster.username}" ""\n`);
        // Like PostgreSQL it refuses to run as root.
        const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
        if (user.uid !== undefined) chownSync(dir, NOBODY, NOBODY);
        const bouncer = new PgBouncer(dir, new Process('/usr/sbin/pgbouncer', [file], { cwd: dir, ...user }));
        try {
            await bouncer.ready(databaseUrl);
        } catch (error) {
            await bouncer.stop();
            throw error;
        }
        return bouncer;
    }

    urlOf(databaseUrl: string): string {
        const { username, pathname } = parse(databaseUrl);
        return `postgresql://${username}@${pathname}?host=${encodeURIComponent(this.dir)}&port=${PORT}`;
    }

    private async ready(databaseUrl: string): Promise<void> {
        for (const until = Date.now() + 10_000; ; await sleep(50)) {
            try {
                await psql(this.urlOf(databaseUrl), 'SELECT 1');
                return;
            } catch (error) {
                if (Date.now() > until) throw new Error(`${String(error)}\n${this.process.stderr}`);
            }
        }
    }

    async stop(): Promise<void> {
        this.process.kill('SIGTERM');
        await this.process.finished;
        rmSync(this.dir, { recursive: true, force: true });
    }
}

/** URL wants a host to parse it. */
function parse(databaseUrl: string): URL {
    return new URL(databaseUrl.replace('@/', '@localhost/'));
}
