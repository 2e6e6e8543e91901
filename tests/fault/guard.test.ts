// The outreach guard decides once (SPEC.md §7): however many reps reach for the same lead at the
// same instant, by however many connections and nodes, one gets through; and a lead that everybody
// wants keeps nobody else waiting. The rig must catch a guard that checks first and writes then.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../kit/client.ts';
import { holdOpen, psql } from '../kit/postgres.ts';
import { parseAnswers, RawConnection } from '../kit/raw.ts';
import { Site } from '../kit/server.ts';
import type { Store } from '../kit/stores.ts';
import { Victim, type Faults } from './rig.ts';

const TIMEOUT = { timeout: 280_000 };
const REPS = 50;
/** Which may be more, to search for longer: TOUCHPOINT_GUARD_ROUNDS=1000. */
const ROUNDS = Number(process.env['TOUCHPOINT_GUARD_ROUNDS'] ?? 100);
/** Of what takes longer, or shows the same in another way. */
const FEW = Math.ceil(ROUNDS / 20);
const KILLS = Math.ceil(ROUNDS / 30);
/** Within so many a control must be caught. */
const CONTROL_ROUNDS = 100;

interface Answer {
    status: number;
    headers: Record<string, string>;
    body: Json;
}

interface Call {
    method: string;
    path: string;
    body?: Json;
}

/** A connection of somebody's own. */
class Line {
    private constructor(private readonly key: string, private readonly connection: RawConnection) {}

    static async open(url: URL, key: string): Promise<Line> {
        return new Line(key, await RawConnection.open(url.href));
    }

    send({ method, path, body }: Call): void {
        const text = body === undefined ? '' : JSON.stringify(body);
        this.connection.send(
            `${method} /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.key}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
        );
    }

    /** Fails where the connection ended before. */
    async answer(): Promise<Answer> {
        const [answer] = await this.connection.answers(1, 60_000);
        assert.equal(parseAnswers(this.connection.received).rest.length, 0);
        this.connection.received = Buffer.alloc(0);
        return { ...answer!, body: answer!.body === '' ? undefined : JSON.parse(answer!.body) };
    }

    ask(call: Call): Promise<Answer> {
        this.send(call);
        return this.answer();
    }

    get hasAnswer(): boolean {
        return this.connection.received.length > 0;
    }

    close(): void {
        this.connection.destroy();
    }
}

interface Rep {
    id: string;
    name: string;
    key: string;
    line: Line;
}

/** All requests first, then the answers. */
function atOnce(lines: readonly Line[], call: (i: number) => Call): Promise<Answer[]> {
    for (const [i, line] of lines.entries()) line.send(call(i));
    return Promise.all(lines.map((line) => line.answer()));
}

function email(lead: string, fields: Json = {}): Call {
    const body = { method: 'email', direction: 'outbound', subject: 'Your tech stack', ...fields };
    return { method: 'POST', path: `/leads/${lead}/contacts`, body };
}

function statuses(answers: readonly Answer[]): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
}

/** Where it is about noon now, so that no day ends while a test counts what is on it. */
function zoneAtNoon(): string {
    const hours = 12 - new Date().getUTCHours(); // Etc/GMT-3 is three hours ahead
    return hours === 0 ? 'Etc/GMT' : `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;
}

const places = {
    SQLite: { store: 'sqlite', nodes: 1 },
    PostgreSQL: { store: 'postgres', nodes: 1 },
    'two nodes on one PostgreSQL': { store: 'postgres', nodes: 2 },
} as const satisfies Record<string, { store: Store; nodes: number }>;
type Place = keyof typeof places;

/** Fifty reps of one tenant, spread over its nodes. */
class Team {
    private readonly sites: Site[] = [];
    readonly nodes: Victim[] = [];
    readonly reps: Rep[] = [];
    private readonly lines: Line[] = [];
    private key = '';
    private made = 0;

    static async create(place: Place, faults: Faults | null = null): Promise<Team> {
        const team = new Team();
        const { store, nodes } = places[place];
        try {
            const site = await Site.create(store);
            team.sites.push(site);
            while (team.sites.length < nodes) team.sites.push(site.another());
            team.key = (await site.createTenant('Acme', 'admin@acme.example')).key;
            for (const each of team.sites) team.nodes.push(await Victim.start(each, team.key, faults));
            await Promise.all(Array.from({ length: REPS }, (_, i) => team.hire(i)));
        } catch (error) {
            await team.remove();
            throw error;
        }
        return team;
    }

    private async hire(i: number): Promise<void> {
        const name = `Rep ${i}`;
        const user = await this.make('/users', { email: `rep${i}@acme.example`, name, role: 'agent' });
        const { key } = await this.make('/keys', { user_id: user.id, name });
        this.reps[i] = { id: user.id, name, key, line: await this.open(i, key) };
    }

    /** One more connection: of the administrator, where no key is given. */
    async open(i: number, key = this.key): Promise<Line> {
        const line = await Line.open(this.nodes[i % this.nodes.length]!.url, key);
        this.lines.push(line);
        return line;
    }

    get repLines(): Line[] {
        return this.reps.map(({ line }) => line);
    }

    get databaseUrl(): string {
        return this.sites[0]!.databaseUrl!;
    }

    async get(path: string): Promise<Json> {
        // By any node: what one has acknowledged all of them know.
        const node = this.nodes[(this.made += 1) % this.nodes.length]!;
        const { status, body } = await node.request('GET', path);
        assert.equal(status, 200, `${path}: ${status} ${JSON.stringify(body)}`);
        return body;
    }

    async make(path: string, body: Json): Promise<Json> {
        const answer = await this.nodes[0]!.request('POST', path, body);
        assert.equal(answer.status, 201, `${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        return answer.body;
    }

    async lead(fields: Json = {}): Promise<string> {
        return (await this.make('/leads', { name: `Lead ${(this.made += 1)}`, ...fields })).id;
    }

    async setPolicy(rules: Json): Promise<void> {
        const { status, body } = await this.nodes[0]!.request('PUT', '/outreach-policy/email', rules);
        assert.equal(status, 200, JSON.stringify(body));
    }

    /** Ids of the lead's touches that were sent, newest first. */
    async touches(lead: string): Promise<string[]> {
        const { data, total } = await this.get(`/leads/${lead}/contacts?limit=100`);
        assert.equal(total, data.length);
        const sent = data.filter(({ direction }: Json) => direction === 'outbound');
        assert.equal((await this.get(`/leads/${lead}`)).contact_count, sent.length);
        return sent.map(({ id }: Json) => id);
    }

    /** kill -9, and a new start; who was connected to it is so again. */
    async restart(node: number): Promise<void> {
        await this.nodes[node]!.kill();
        this.nodes[node] = await Victim.start(this.sites[node]!, this.key, null);
        await Promise.all(this.reps.map(async (rep, i) => {
            if (i % this.nodes.length !== node) return;
            rep.line.close();
            rep.line = await this.open(i, rep.key);
        }));
    }

    async stop(): Promise<void> {
        for (const line of this.lines) line.close();
        for (const node of this.nodes) await node.stop();
    }

    async remove(): Promise<void> {
        for (const line of this.lines) line.close();
        for (const node of this.nodes) await node.kill();
        for (const site of this.sites.reverse()) await site.remove();
    }
}

/** Fifty touches of a lead; those that got through. The others were told which, and whose. */
async function race(team: Team, lead: string, winners: number, refusal: number, limit: string): Promise<Answer[]> {
    const answers = await atOnce(team.repLines, () => email(lead));
    assert.deepEqual(statuses(answers), { 201: winners, [refusal]: REPS - winners });
    const through = answers.filter(({ status }) => status === 201);
    const facts = through.map(({ body }) => [body.id, team.reps[answers.findIndex((each) => each.body === body)]!.id]).sort();
    for (const { status, headers, body } of answers) {
        if (status === 201) continue;
        const { decision, broken, touches } = body.check;
        assert.equal(decision, status === 429 ? 'blocked' : 'warning');
        assert.equal(broken[0], limit);
        assert.equal(Number(headers['retry-after']) > 0, status === 429);
        assert.deepEqual(touches.map(({ id, user }: Json) => [id, user.id]).sort(), facts);
    }
    return through;
}

/** A guard that only the clients ask: each looks first, and logs what it then sent. */
async function naive(team: Team, lead: string): Promise<void> {
    await Promise.all(team.repLines.map(async (line) => {
        const { status, body } = await line.ask({ method: 'GET', path: `/leads/${lead}/contact-check?method=email` });
        assert.equal(status, 200, JSON.stringify(body));
        if (body.decision !== 'allowed') return;
        const touch = { customer_id: lead, type: 'email', direction: 'outbound', subject: 'Hello', started_at: new Date().toISOString() };
        const logged = await line.ask({ method: 'POST', path: '/interactions', body: touch });
        assert.equal(logged.status, 201, JSON.stringify(logged.body));
    }));
    assert.equal((await team.touches(lead)).length, 1);
}

/** The round in which `act` fails because more than one touch got through. */
async function caughtIn(team: Team, act: (lead: string) => Promise<unknown>): Promise<number> {
    for (let round = 1; round <= CONTROL_ROUNDS; round++) {
        const lead = await team.lead();
        try {
            await act(lead);
        } catch (error) {
            if ((await team.get(`/leads/${lead}/contacts?limit=1`)).total > 1) return round;
            throw error;
        }
    }
    throw new Error(`not caught in ${CONTROL_ROUNDS} rounds`);
}

/** Reps reach for leads until the server is gone; what it had acknowledged is there, and whoever
 * comes after knows of it. */
async function killed(team: Team): Promise<void> {
    const leads = await Promise.all(Array.from({ length: 4 }, () => team.lead()));
    const acknowledged = new Map<string, string[]>(leads.map((lead) => [lead, []]));
    let answered = 0;
    // Where the first have just come to a lead, so that whoever gets through is on the way.
    const enough = Math.floor(Math.random() * leads.length) * REPS + Math.floor(Math.random() * 8);
    await Promise.all(team.reps.map(async ({ line }) => {
        for (const lead of leads) {
            const answer = await line.ask(email(lead)).catch(() => null);
            if (answer === null) return; // it was killed
            if ((answered += 1) > enough) team.nodes[0]!.process.kill('SIGKILL');
            if (answer.status === 201) acknowledged.get(lead)!.push(answer.body.id);
            else assert.equal(answer.status, 429, JSON.stringify(answer.body));
        }
    }));
    await team.restart(0);
    for (const [lead, told] of acknowledged) {
        assert.ok(told.length <= 1, `${told.length} were told that they got through`);
        for (const id of told) assert.deepEqual(await team.touches(lead), [id]);
        const answers = await atOnce(team.repLines, () => email(lead));
        const later = answers.filter(({ status }) => status === 201).map(({ body }) => body.id);
        assert.equal(answers.filter(({ status }) => status === 429).length, REPS - later.length);
        const touches = await team.touches(lead);
        assert.equal(touches.length, 1, `${told.length} before the kill, ${later.length} after it`);
        for (const id of [...told, ...later]) assert.equal(id, touches[0]);
    }
}

/** Two leads turn out to be one while reps reach for both. */
async function merged(team: Team, boss: Line): Promise<void> {
    const leads = [await team.lead(), await team.lead()] as const;
    const merge: Call = { method: 'POST', path: `/leads/${leads[0]}/merge`, body: { merged_id: leads[1] } };
    const when = Math.floor(Math.random() * REPS);
    // In pairs, so that either lead is reached for on every node.
    const side = (i: number) => (i >> 1) % 2;
    const answers = await atOnce(team.repLines, (i) => {
        if (i === when) boss.send(merge);
        return email(leads[side(i)]!);
    });
    assert.equal((await boss.answer()).status, 200);
    const through = [0, 1].map((n) => answers.filter(({ status }, i) => status === 201 && side(i) === n));
    const ids = through.flat().map(({ body }) => body.id);
    assert.equal(answers.filter(({ status }) => status === 429).length, REPS - ids.length);
    // One each before they were one, but none by its second name after one by its first.
    assert.ok(ids.length >= 1 && through.every(({ length }) => length <= 1), JSON.stringify(statuses(answers)));
    for (const lead of leads) {
        const late = await atOnce(team.repLines, () => email(lead));
        assert.deepEqual(statuses(late), { 429: REPS });
        assert.deepEqual((await team.touches(lead)).sort(), [...ids].sort());
    }
}

/** Sessions of PostgreSQL that wait for a customer's lock. */
async function waiting(team: Team): Promise<number> {
    return Number(await psql(team.databaseUrl, `SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%customers%'`));
}

/** Jobs that wait in the nodes, for the store or for each other. */
async function queued(team: Team): Promise<number> {
    const texts = await Promise.all(team.nodes.map((node) => node.request('GET', '//metrics')));
    return texts.reduce((sum, { body }) => sum + Number(/^touchpoint_store_queued (\d+)$/m.exec(body)![1]), 0);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 9_000; !(await holds()); await sleep(10))
        assert.ok(Date.now() < end, `${what}: in vain`);
}

const HOT = 200;

async function openHot(team: Team): Promise<Line[]> {
    return Promise.all(Array.from({ length: HOT }, (_, i) => team.open(i, team.reps[i % REPS]!.key)));
}

/** Somebody holds the lead, and all those who reach for it wait. */
async function holdHot(team: Team): Promise<{ hot: Line[]; release: () => Promise<void> }> {
    const lead = await team.lead();
    const hot = await openHot(team);
    const held = await holdOpen(team.databaseUrl, `SELECT 1 FROM customers WHERE id = '${lead}' FOR UPDATE`);
    for (const line of hot) line.send(email(lead));
    return { hot, release: held.commit };
}

for (const place of Object.keys(places) as Place[]) {
    const { store, nodes } = places[place];

    describe(`on ${place}`, () => {
        let team: Team;
        before(async () => {
            team = await Team.create(place);
        });
        after(async () => {
            try {
                await team?.stop();
            } finally {
                await team?.remove();
            }
        });

        test(`of ${REPS} reps one gets through, in each of ${ROUNDS} rounds`, TIMEOUT, async () => {
            for (let round = 1; round <= ROUNDS; round++) {
                const lead = await team.lead();
                const [winner] = await race(team, lead, 1, 429, 'min_hours');
                assert.deepEqual(await team.touches(lead), [winner!.body.id]);
            }
        });

        test('the answer to who wrote is free, once', TIMEOUT, async () => {
            for (let round = 1; round <= FEW; round++) {
                const lead = await team.lead();
                const [first] = await race(team, lead, 1, 429, 'min_hours');
                await team.make(`/leads/${lead}/contacts`, { method: 'email', direction: 'inbound', subject: 'Re: Your tech stack' });
                const [second] = await race(team, lead, 1, 429, 'min_hours');
                assert.deepEqual(await team.touches(lead), [second!.body.id, first!.body.id]);
            }
        });

        test('where the policy only warns, one gets through unwarned', TIMEOUT, async () => {
            await team.setPolicy({ warn_days: 7, min_hours: 0, max_per_day: null });
            for (let round = 1; round <= FEW; round++) {
                const lead = await team.lead();
                const [winner] = await race(team, lead, 1, 409, 'warn_days');
                assert.deepEqual(await team.touches(lead), [winner!.body.id]);
            }
        });

        test('where it allows three a day, three get through', TIMEOUT, async () => {
            await team.setPolicy({ warn_days: 0, min_hours: 0, max_per_day: 3 });
            for (let round = 1; round <= FEW; round++) {
                const lead = await team.lead({ timezone: zoneAtNoon() });
                const winners = await race(team, lead, 3, 429, 'max_per_day');
                assert.deepEqual((await team.touches(lead)).sort(), winners.map(({ body }) => body.id).sort());
            }
            await team.setPolicy({ warn_days: 7, min_hours: 24, max_per_day: 1 });
        });

        test('control: clients that ask, and write then, are caught', TIMEOUT, async (t) => {
            const round = await caughtIn(team, (lead) => naive(team, lead));
            t.diagnostic(`in round ${round}`);
        });

        test('two leads that are merged meanwhile are one afterwards', TIMEOUT, async () => {
            const boss = await team.open(0);
            for (let round = 1; round <= FEW; round++) await merged(team, boss);
        });

        test('a lead that everybody wants keeps nobody else waiting', TIMEOUT, async () => {
            const others = await Promise.all(Array.from({ length: REPS }, () => team.lead()));
            let hot: Line[];
            let release = async () => {};
            if (store === 'sqlite') {
                const lead = await team.lead();
                hot = await openHot(team);
                for (const line of hot) line.send(email(lead));
            } else {
                ({ hot, release } = await holdHot(team));
                // One of each node in PostgreSQL; the rest waits where it takes nothing from others.
                await until('all wait', async () => (await waiting(team)) === nodes && (await queued(team)) === HOT - nodes);
            }
            try {
                const answers = await atOnce(team.repLines, (i) => email(others[i]!));
                assert.deepEqual(statuses(answers), { 201: REPS });
                const lists = await atOnce(team.repLines, () => ({ method: 'GET', path: '/leads?limit=10' }));
                assert.deepEqual(statuses(lists), { 200: REPS });
                if (store === 'postgres') {
                    assert.equal(await waiting(team), nodes);
                    assert.equal(hot.filter(({ hasAnswer }) => hasAnswer).length, 0);
                }
            } finally {
                await release();
            }
            assert.deepEqual(statuses(await Promise.all(hot.map((line) => line.answer()))), { 201: 1, 429: HOT - 1 });
            for (const line of hot) line.close();
        });

        test('a kill -9 in between lets no second one through', TIMEOUT, async () => {
            for (let round = 1; round <= KILLS; round++) await killed(team);
        });
    });
}

// SQLite has one writer: there nothing is to be locked.
const controls: [Place, string][] = [
    ['PostgreSQL', 'lock,lanes'],
    // The lanes of a node part those who are on it, and nobody else.
    ['two nodes on one PostgreSQL', 'lock'],
];
for (const [place, without] of controls) {
    test(`control: on ${place}, deciding without ${without} is caught`, TIMEOUT, async (t) => {
        const team = await Team.create(place, { TOUCHPOINT_FAULT_WITHOUT: without });
        try {
            const round = await caughtIn(team, (lead) => race(team, lead, 1, 429, 'min_hours'));
            t.diagnostic(`in round ${round}`);
        } finally {
            await team.remove();
        }
    });
}

test('control: without lanes a lead that everybody wants takes all connections', TIMEOUT, async () => {
    const team = await Team.create('PostgreSQL', { TOUCHPOINT_FAULT_WITHOUT: 'lanes' });
    try {
        const { release } = await holdHot(team);
        await until('it takes them', async () => (await waiting(team)) === 16);
        await release();
    } finally {
        await team.remove();
    }
});
