// What the fault rigs have in common: a server that is killed under load again and again, a
// ledger of what it had acknowledged, kept outside of it, and an audit of what is left.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../kit/client.ts';
import { binary, outDir, temporaryDir } from '../kit/places.ts';
import { psql } from '../kit/postgres.ts';
import { deadline, Process, runOk, sanitizerReport, type Finished } from '../kit/process.ts';
import { Site } from '../kit/server.ts';
import type { Store } from '../kit/stores.ts';

/** The program with what it can be broken by; see fault_server.c. */
const faultServer = join(outDir, 'fault-server');

const CLIENTS = 16;
const CUSTOMERS = 12;

/** What a server is broken by, by the variables of fault_server.c; none: the program itself. */
export type Faults = Record<`TOUCHPOINT_FAULT_${string}`, string>;

export interface Answer {
    status: number;
    headers: Record<string, unknown>;
    body: Json;
}

/** A server that may end at any moment. */
export class Victim {
    private readonly agent = new Agent({ keepAlive: true, maxSockets: CLIENTS + 4 });

    private constructor(
        readonly process: Process,
        readonly url: URL,
        private readonly key: string,
    ) {}

    static async start(site: Site, key: string, faults: Faults | null, ...extra: string[]): Promise<Victim> {
        const process_ = new Process(
            faults === null ? binary : faultServer,
            ['serve', '--listen', '127.0.0.1:0', '--quiet', '--rate', '0', ...site.flags(), ...extra],
            { env: { ...process.env, ...faults } },
        );
        try {
            const line = await process_.firstLine(30_000);
            const victim = new Victim(process_, new URL(line.replace(/^listening on /, '')), key);
            await victim.becomesReady(10_000);
            return victim;
        } catch (error) {
            process_.kill('SIGKILL');
            throw error;
        }
    }

    async becomesReady(withinMs: number): Promise<void> {
        for (const until = Date.now() + withinMs; ; await sleep(20)) {
            const { status } = await this.request('GET', '//readyz');
            if (status === 200) return;
            if (Date.now() > until) throw new Error(`not ready within ${withinMs} ms: ${status}`);
        }
    }

    /** Fails when the connection does. */
    request(method: string, path: string, body?: Json): Promise<Answer> {
        const target = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`;
        const text = body === undefined ? '' : JSON.stringify(body);
        const headers: Record<string, string> = { authorization: `Bearer ${this.key}` };
        if (text !== '') headers['content-type'] = 'application/json';
        headers['content-length'] = String(Buffer.byteLength(text));
        return new Promise((resolve, reject) => {
            const outgoing = request(
                { agent: this.agent, hostname: this.url.hostname, port: this.url.port, method, path: target, headers },
                (incoming) => {
                    let answer = '';
                    incoming.setEncoding('utf8').on('data', (part: string) => (answer += part));
                    incoming.on('error', reject);
                    incoming.on('end', () => {
                        if (!incoming.complete) return reject(new Error('cut off'));
                        const isJson = /[/+]json\b/.test(incoming.headers['content-type'] ?? '');
                        const body: Json = isJson && answer !== '' ? JSON.parse(answer) : answer;
                        resolve({ status: incoming.statusCode!, headers: incoming.headers, body });
                    });
                },
            );
            outgoing.on('error', reject);
            outgoing.end(text);
        });
    }

    async kill(): Promise<void> {
        this.process.kill('SIGKILL');
        const { stderr } = await this.process.finished;
        this.agent.destroy();
        assert.equal(sanitizerReport(stderr), null);
    }

    /** Ends by itself, for a reason of its own. */
    async ends(withinMs: number): Promise<Finished> {
        try {
            return await Promise.race([this.process.finished, deadline(withinMs, 'the server did not end')]);
        } finally {
            this.agent.destroy();
        }
    }

    async stop(): Promise<void> {
        this.process.kill('SIGTERM');
        const { code, stderr } = await this.ends(40_000);
        assert.equal(sanitizerReport(stderr), null);
        assert.equal(code, 0, stderr.slice(-4000));
    }
}

/** One interaction that some client wrote, or tried to. Where a change was sent and its answer
 * never came, both states are right. */
interface Entry {
    customer: string;
    type: string;
    direction: string;
    followUp: boolean;
    /** Set by the acknowledgement. */
    id: string | null;
    /** Refused: it must not be there. */
    refused: boolean;
    outcomes: Set<string>;
    responded: Set<boolean>;
    deleted: Set<boolean>;
}

const outcomes = ['successful', 'failed', 'no_answer', 'busy', 'voicemail'];

function pick<T>(items: readonly T[]): T {
    return items[Math.floor(Math.random() * items.length)]!;
}

/** What was sent, and what came back; by subject, which is different for each. */
export class Ledger {
    readonly entries = new Map<string, Entry>();
    acknowledged = 0;
    refused = 0;
    /** Told of the next acknowledgement, in the moment that it arrives. */
    onAcknowledged: (() => void) | null = null;
    private sent = 0;

    /** `early`: a control answers before it commits, so what it just made may not be found yet. */
    constructor(private readonly early: boolean) {}

    /** One client: writes until the connection ends or it is told to. `onRefusal` sees 503s. */
    async write(victim: Victim, customers: string[], stop: () => boolean, onRefusal?: (answer: Answer) => void): Promise<void> {
        const mine: [string, Entry][] = [];
        while (!stop()) {
            const chance = Math.random();
            const old = chance < 0.3 ? mine.at(-1 - Math.floor(Math.random() * 4)) : undefined;
            let answer: Answer | null;
            if (old === undefined || old[1].id === null || !old[1].deleted.has(false)) {
                answer = await this.create(victim, customers, mine);
            } else if (chance < 0.1 && old[1].direction === 'outbound' && old[1].type !== 'note') {
                answer = await this.respond(victim, old[1]);
            } else if (chance < 0.2) {
                answer = await this.setOutcome(victim, old[1]);
            } else {
                answer = await this.remove(victim, old[1]);
            }
            if (answer === null) return;
            if (answer.status === 503) {
                this.refused += 1;
                onRefusal?.(answer);
                await sleep(20);
            } else if (!this.early || answer.status !== 404) {
                assert.ok(answer.status < 300, `${answer.status} ${JSON.stringify(answer.body)}`);
                this.acknowledged += 1;
                this.onAcknowledged?.();
            }
        }
    }

    private async create(victim: Victim, customers: string[], mine: [string, Entry][]): Promise<Answer | null> {
        const subject = `touch ${(this.sent += 1)}`;
        const entry: Entry = {
            customer: pick(customers),
            type: pick(['call', 'email', 'meeting', 'note']),
            direction: pick(['inbound', 'outbound']),
            followUp: Math.random() < 0.3,
            id: null,
            refused: false,
            outcomes: new Set([pick(outcomes)]),
            responded: new Set([false]),
            deleted: new Set([false]),
        };
        this.entries.set(subject, entry);
        const second = Math.floor(Math.random() * 1e6);
        const answer = await attempt(victim, 'POST', '/interactions', {
            customer_id: entry.customer,
            type: entry.type,
            direction: entry.direction,
            subject,
            outcome: [...entry.outcomes][0],
            follow_up_required: entry.followUp,
            started_at: new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString(),
        });
        if (answer?.status === 201) {
            entry.id = String(answer.body.id);
            mine.push([subject, entry]);
        }
        entry.refused = answer?.status === 503;
        return answer;
    }

    private async setOutcome(victim: Victim, entry: Entry): Promise<Answer | null> {
        const outcome = pick(outcomes);
        const before = [...entry.outcomes];
        entry.outcomes.add(outcome);
        const answer = await attempt(victim, 'PUT', `/interactions/${entry.id}/outcome`, { outcome });
        if (answer?.status === 200) entry.outcomes = new Set([outcome]);
        if (answer?.status === 503 || answer?.status === 404) entry.outcomes = new Set(before);
        return answer;
    }

    private async respond(victim: Victim, entry: Entry): Promise<Answer | null> {
        const responded = Math.random() < 0.8;
        const before = [...entry.responded];
        entry.responded.add(responded);
        const answer = await attempt(victim, 'PATCH', `/contact-attempts/${entry.id}/responded`, { responded });
        if (answer?.status === 200) entry.responded = new Set([responded]);
        if (answer?.status === 503 || answer?.status === 404) entry.responded = new Set(before);
        return answer;
    }

    private async remove(victim: Victim, entry: Entry): Promise<Answer | null> {
        entry.deleted.add(true);
        const answer = await attempt(victim, 'DELETE', `/interactions/${entry.id}`);
        if (answer?.status === 204) entry.deleted = new Set([true]);
        if (answer?.status === 503 || answer?.status === 404) entry.deleted = new Set([false]);
        return answer;
    }
}

/** Null where no whole answer came. */
async function attempt(victim: Victim, method: string, path: string, body?: Json): Promise<Answer | null> {
    try {
        return await victim.request(method, path, body);
    } catch {
        return null;
    }
}

/** What an audit found wrong. */
export interface Findings {
    /** Acknowledged, and not there. */
    lost: string[];
    /** There, and not as a whole. */
    torn: string[];
}

/** A site, its ledger, and the server that is killed on it. */
export class Rig {
    readonly ledger: Ledger;
    readonly customers: string[] = [];

    private constructor(
        readonly site: Site,
        readonly key: string,
        readonly faults: Faults | null,
        public victim: Victim,
    ) {
        this.ledger = new Ledger(faults?.TOUCHPOINT_FAULT_UNSAFE === 'ack-before-commit');
    }

    static async create(store: Store, faults: Faults | null = null): Promise<Rig> {
        const site = await Site.create(store);
        const { key } = await site.createTenant('Acme', 'admin@acme.example');
        // What it begins with is beyond doubt: the program itself makes it.
        const rig = new Rig(site, key, faults, await Victim.start(site, key, null));
        try {
            for (let i = 0; i < CUSTOMERS; i++) {
                const { status, body } = await rig.victim.request('POST', '/customers', { name: `Customer ${i}` });
                assert.equal(status, 201);
                rig.customers.push(String(body.id));
            }
            if (faults !== null) {
                await rig.victim.stop();
                rig.victim = await Victim.start(site, key, faults);
            }
        } catch (error) {
            await rig.remove();
            throw error;
        }
        return rig;
    }

    /** Load, a kill at a random moment, an audit of what it left, and a new start. */
    async round(): Promise<Findings> {
        const load = this.load();
        // Random in the work done, so that a slow machine does as much of it.
        const enough = this.ledger.acknowledged + 10 + Math.random() * 150;
        for (const end = Date.now() + 20_000; this.ledger.acknowledged < enough; await sleep(5))
            assert.ok(Date.now() < end, 'the server answers next to nothing');
        // Every other time in the moment of an acknowledgement, when one that came too early
        // is sure to be a lie.
        if (Math.random() < 0.5) await this.nextAcknowledgement();
        else await sleep(Math.random() * 20);
        await this.victim.kill();
        await load.done;
        const left = await this.left();
        const [findings] = await Promise.all([this.audit(left), this.restart()]);
        return findings;
    }

    /** What a server left that has ended, one way or the other. */
    async auditLeft(): Promise<Findings> {
        return this.audit(await this.left());
    }

    private nextAcknowledgement(): Promise<unknown> {
        return new Promise<void>((resolve) => {
            this.ledger.onAcknowledged = () => {
                this.ledger.onAcknowledged = null;
                this.victim.process.kill('SIGKILL');
                resolve();
            };
        });
    }

    /** Clients that write until they are told to stop, or cannot any more. */
    load(onRefusal?: (answer: Answer) => void): { done: Promise<unknown>; stop(): Promise<unknown> } {
        let stopped = false;
        const { victim } = this;
        const clients = Array.from({ length: CLIENTS }, () =>
            this.ledger.write(victim, this.customers, () => stopped, onRefusal),
        );
        const done = Promise.all(clients);
        done.catch(() => undefined); // whoever waits for it sees the error
        return {
            done,
            stop() {
                stopped = true;
                return done;
            },
        };
    }

    async restart(): Promise<void> {
        this.victim = await Victim.start(this.site, this.key, this.faults);
        const known = [...this.ledger.entries.values()].filter(({ id, deleted }) => id !== null && !deleted.has(true));
        // The audit reads the store; this is what a client would see.
        for (const { id } of known.slice(-5)) {
            const { status } = await this.victim.request('GET', `/interactions/${id}`);
            // A control loses it on purpose: then the audit says so.
            assert.ok(status === 200 || (status === 404 && this.faults !== null), String(status));
        }
    }

    /** What a dead server left, where nobody changes it any more. */
    private async left(): Promise<Left> {
        if (this.site.databaseUrl !== null) {
            const url = this.site.databaseUrl;
            // A commit that was sent goes on without its client.
            const others = 'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
            for (const until = Date.now() + 10_000; (await psql(url, others)) !== '0'; await sleep(10))
                assert.ok(Date.now() < until, 'sessions of the dead server stay');
            return { sql: (text) => psql(url, text), remove: () => undefined, sqlite: false };
        }
        // A copy: looking at it recovers it, and the server has to do that by itself.
        const dir = temporaryDir('left');
        for (const name of ['touchpoint.db', 'touchpoint.db-wal'])
            if (existsSync(join(this.site.dataDir, name)))
                copyFileSync(join(this.site.dataDir, name), join(dir, name));
        return {
            sql: (text) => sqlite(join(dir, 'touchpoint.db'), text),
            remove: () => rmSync(dir, { recursive: true, force: true }),
            sqlite: true,
        };
    }

    private async audit(left: Left): Promise<Findings> {
        try {
            const torn = await findTorn(left);
            const lost = this.compare(await readInteractions(left), torn);
            return { lost, torn };
        } finally {
            left.remove();
        }
    }

    /** Holds the ledger against what is there, and settles it: from now on, that must stay. */
    private compare(rows: Map<string, Row>, torn: string[]): string[] {
        const lost: string[] = [];
        for (const [subject, entry] of this.ledger.entries) {
            const row = rows.get(subject);
            if (row === undefined) {
                if (entry.id !== null) lost.push(`${subject}: acknowledged as ${entry.id}, and gone`);
                this.ledger.entries.delete(subject);
                continue;
            }
            rows.delete(subject);
            if (entry.refused) torn.push(`${subject}: refused, and there`);
            if (entry.id !== null && plain(entry.id) !== row.id) torn.push(`${subject}: twice`);
            const wanted = [entry.type, entry.direction, plain(entry.customer)].join();
            const found = [row.type, row.direction, row.customer].join();
            if (found !== wanted) torn.push(`${subject}: ${found} is not ${wanted}`);
            if (!entry.outcomes.has(row.outcome))
                lost.push(`${subject}: outcome ${[...entry.outcomes]} acknowledged, ${row.outcome} found`);
            if (!entry.responded.has(row.responded))
                lost.push(`${subject}: ${row.responded ? 'a response of nobody' : 'its response is lost'}`);
            if (!entry.deleted.has(row.deleted))
                lost.push(`${subject}: ${row.deleted ? 'deleted by nobody' : 'its deletion is lost'}`);
            entry.id = dashed(row.id);
            entry.outcomes = new Set([row.outcome]);
            entry.responded = new Set([row.responded]);
            entry.deleted = new Set([row.deleted]);
        }
        for (const subject of rows.keys()) torn.push(`${subject}: written by nobody, or twice`);
        return lost;
    }

    async remove(): Promise<void> {
        await this.victim.kill();
        await this.site.remove();
    }
}

interface Left {
    sql(text: string): Promise<string>;
    remove(): void;
    sqlite: boolean;
}

interface Row {
    id: string;
    type: string;
    direction: string;
    customer: string;
    outcome: string;
    responded: boolean;
    deleted: boolean;
}

/** Runs SQL by SQLite's own shell; gives the rows as text, columns parted by |. */
export async function sqlite(path: string, sql: string): Promise<string> {
    const { stdout } = await runOk('sqlite3', ['-batch', '-bail', path], { input: sql });
    return stdout.trim();
}

function plain(id: string): string {
    return id.replaceAll('-', '');
}

function dashed(id: string): string {
    return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function idText(left: Left, column: string): string {
    return left.sqlite ? `lower(hex(${column}))` : `replace(${column}::text, '-', '')`;
}

function lines(text: string): string[] {
    return text === '' ? [] : text.split('\n');
}

async function readInteractions(left: Left): Promise<Map<string, Row>> {
    const text = await left.sql(
        `SELECT subject, ${idText(left, 'id')}, type, direction, ${idText(left, 'customer_id')}, outcome,
            CASE WHEN responded THEN 1 ELSE 0 END,
            CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END FROM interactions;`,
    );
    const rows = new Map<string, Row>();
    for (const line of lines(text)) {
        const [subject, id, type, direction, customer, outcome, responded, deleted] = line.split('|') as [
            string,
            ...string[],
        ];
        // One that is there twice stays under a name that nobody wrote.
        rows.set(rows.has(subject) ? `${subject} (${id})` : subject, {
            id: id!, type: type!, direction: direction!, customer: customer!, outcome: outcome!,
            responded: responded === '1', deleted: deleted === '1',
        });
    }
    return rows;
}

/** Each with the rows that break it. */
function rules(left: Left): [string, string][] {
    const touches = `FROM interactions AS i WHERE i.customer_id = c.id AND i.deleted_at IS NULL
        AND i.type NOT IN ('note', 'system')`;
    const answered = `(SELECT max(at) FROM (
        SELECT started_at AS at ${touches} AND direction = 'inbound'
        UNION ALL SELECT response_at ${touches} AND direction = 'outbound' AND responded) AS answers)`;
    const common: [string, string][] = [
        ['an interaction has not an event for each of its versions',
            `SELECT i.subject, i.version, e.n FROM interactions AS i LEFT JOIN (
                SELECT interaction_id, count(*) AS n FROM contact_events
                WHERE interaction_id IS NOT NULL
                    AND event_type NOT IN ('follow_up_due', 'outreach_flagged', 'outreach_override')
                GROUP BY interaction_id
             ) AS e ON e.interaction_id = i.id WHERE e.n IS NULL OR e.n <> i.version`],
        ['an event tells of an interaction that is not there',
            `SELECT ${idText(left, 'interaction_id')} FROM contact_events
             WHERE interaction_id NOT IN (SELECT id FROM interactions)`],
        ['a customer has no event of having been made',
            `SELECT name FROM customers WHERE id NOT IN (
                SELECT contact_id FROM contact_events WHERE contact_id IS NOT NULL AND interaction_id IS NULL)`],
        ["a customer's summary is not what his touches say",
            `SELECT name FROM customers AS c WHERE
                contact_count <> (SELECT count(*) ${touches} AND direction = 'outbound')
                OR coalesce(last_contacted_at <> (SELECT max(started_at) ${touches} AND direction = 'outbound'),
                    last_contacted_at IS NOT NULL
                    OR (SELECT max(started_at) ${touches} AND direction = 'outbound') IS NOT NULL)
                OR coalesce(last_response_at <> ${answered},
                    last_response_at IS NOT NULL OR ${answered} IS NOT NULL)`],
        // On PostgreSQL what was written last waits for the next server's sealer.
        ['an event has not one seal, nor waits for it once',
            `SELECT ${idText(left, 'e.id')} FROM contact_events AS e WHERE
                (SELECT count(*) FROM event_seals AS s WHERE s.tenant_id = e.tenant_id AND s.event_id = e.id)
                + (SELECT count(*) FROM unsealed_events AS u
                   WHERE u.tenant_id = e.tenant_id AND u.event_id = e.id) <> 1`],
        ['a chain has a gap',
            `SELECT ${idText(left, 'tenant_id')} FROM event_seals GROUP BY tenant_id
             HAVING min(number) <> 1 OR max(number) <> count(*)`],
        ['a chain does not end with its last seal',
            `SELECT ${idText(left, 'c.tenant_id')} FROM event_chains AS c WHERE
                NOT EXISTS (SELECT 1 FROM event_seals AS s WHERE s.tenant_id = c.tenant_id
                            AND s.number = c.number AND s.hash = c.hash)
                OR EXISTS (SELECT 1 FROM event_seals AS s WHERE s.tenant_id = c.tenant_id
                           AND s.number > c.number)`],
    ];
    if (!left.sqlite) return common;
    return [
        ...common,
        ['an event was committed without its seal', `SELECT ${idText(left, 'event_id')} FROM unsealed_events`],
        ['the file is damaged', 'SELECT * FROM pragma_integrity_check WHERE integrity_check <> \'ok\''],
        ['a reference leads nowhere', 'SELECT * FROM pragma_foreign_key_check'],
        ['the index of texts has lost or kept a row',
            `SELECT count(*) FROM interaction_words_docsize HAVING count(*) <>
                (SELECT count(*) FROM interactions WHERE deleted_at IS NULL)`],
    ];
}

/** Of each cell that attempts are counted by (day, method, person, lead_status) its three sums. */
function attemptFigures(rows: string): string[] {
    return ['attempts', 'responses', 'response_seconds'].map((figure) =>
        `SELECT 'attempts.${figure}:' || day || ',' || method || ',' || person || ',' || lead_status,
            CAST(sum(${figure}) AS bigint) FROM (${rows}) AS cells GROUP BY 1`);
}

function second(left: Left, column: string): string {
    return left.sqlite ? `${column} / 1000000` : `CAST(floor(extract(epoch FROM ${column})) AS bigint)`;
}

/** The totals as they are kept: sum() gives PostgreSQL's numeric. */
function kept(left: Left): string {
    const cells = ['attempt_counts', 'attempt_deltas'].map((table) =>
        `SELECT day, method, ${idText(left, 'user_id')} AS person, lead_status, attempts, responses,
            response_seconds FROM ${table}`);
    return ['SELECT name, CAST(sum(n) AS bigint) FROM kept_counts GROUP BY name',
        ...attemptFigures(cells.join(' UNION ALL '))].join(' UNION ALL ');
}

/** The totals that are kept, counted anew. */
function recounts(left: Left): string {
    const live = 'FROM interactions WHERE deleted_at IS NULL';
    const by = (name: string, column: string, from: string) =>
        `SELECT '${name}:' || ${column}, count(*) ${from} GROUP BY 1`;
    return [
        `SELECT 'interactions:', count(*) ${live}`,
        by('interactions.customer', idText(left, 'customer_id'), live),
        by('interactions.company', idText(left, 'company_id'), `${live} AND company_id IS NOT NULL`),
        by('interactions.session', idText(left, 'session_id'), `${live} AND session_id IS NOT NULL`),
        by('interactions.created_by', idText(left, 'created_by'), `${live} AND created_by IS NOT NULL`),
        by('interactions.type', 'type', live),
        `SELECT 'interactions.follow_up:', count(*) ${live} AND follow_up_due IS NOT NULL`,
        by('interactions.follow_up_assignee', idText(left, 'follow_up_assignee'),
            `${live} AND follow_up_due IS NOT NULL AND follow_up_assignee IS NOT NULL`),
        "SELECT 'customers:', count(*) FROM customers WHERE deleted_at IS NULL",
        by('customers.status', 'status', 'FROM customers WHERE deleted_at IS NULL'),
        by('customers.method', 'last_contact_method',
            'FROM customers WHERE deleted_at IS NULL AND last_contact_method IS NOT NULL'),
        ...attemptFigures(
            `SELECT attempt_day AS day,
                CASE WHEN type = 'social_media' AND channel = 'linkedin' THEN 'linkedin' ELSE type END AS method,
                coalesce(${idText(left, 'created_by')}, '${'f'.repeat(32)}') AS person,
                coalesce(lead_status, '') AS lead_status, 1 AS attempts,
                CASE WHEN responded THEN 1 ELSE 0 END AS responses,
                CASE WHEN responded THEN ${second(left, 'response_at')} - ${second(left, 'started_at')}
                    ELSE 0 END AS response_seconds
             ${live} AND direction = 'outbound' AND type NOT IN ('note', 'system') AND attempt_day IS NOT NULL`),
        by('events.timeline', idText(left, 'timeline_id'),
            'FROM contact_events WHERE timeline_id IS NOT NULL AND visible_to_agent AND NOT expired'),
        by('events.client', idText(left, 'timeline_id'),
            'FROM contact_events WHERE timeline_id IS NOT NULL AND visible_to_client AND NOT expired'),
        by('events.session', idText(left, 'session_id'),
            'FROM contact_events WHERE session_id IS NOT NULL AND visible_to_agent AND NOT expired'),
    ].join(' UNION ALL ');
}

function totals(text: string): Record<string, number> {
    const pairs = lines(text).map((line) => line.split('|') as [string, string]);
    const known = pairs.filter(([name, n]) => /^(attempts|interactions|customers|events)[.:]/.test(name) && n !== '0');
    return Object.fromEntries(known.map(([name, n]): [string, number] => [plain(name), Number(n)]).sort());
}

async function findTorn(left: Left): Promise<string[]> {
    const checks = rules(left);
    const parts = [
        kept(left),
        recounts(left),
        ...checks.map(([, sql]) => sql),
    ];
    // One moment of the store.
    const begin = left.sqlite ? 'BEGIN;' : 'BEGIN ISOLATION LEVEL REPEATABLE READ;';
    const text = await left.sql(`${begin}${parts.map((sql) => `${sql};\nSELECT '=';\n`).join('')}COMMIT;`);
    const [found, counted, ...broken] = `${text}\n`.split(/^=\n/m).map((part) => part.trim());
    const torn = checks.flatMap(([rule], i) => lines(broken[i]!).map((row) => `${rule}: ${row}`));
    try {
        assert.deepEqual(totals(found!), totals(counted!));
    } catch (error) {
        torn.push(`a kept total is not the count: ${String(error)}`);
    }
    return torn;
}
