// /analytics/outreach: what was posted is counted here once more, and every figure held to that
// (SPEC.md §8, seed 004).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Json } from '../kit/client.ts';
import { addPerson, faults, roles } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const ROUTE = '/analytics/outreach';
const STATUSES = ['new', 'enriched', 'contacted', 'conversing', 'qualified', 'converted', 'lost', 'unknown'];
const HOUR = 3_600_000;

/** What was logged, as the test knows it. */
interface Logged {
    id: string;
    method: string;
    user: string;
    status: string;
    at: number;
    responseAt: number | null;
    /** Outbound, no note, and not deleted. */
    counts: boolean;
}

interface Asked {
    from: string;
    to: string;
    method?: string;
    user?: string;
    interval?: 'day' | 'week' | 'month';
    min?: number;
    users?: number;
}

const knownDays = new Map<string, string>();
/** The day of an instant on a zone's calendar. */
function dayIn(timeZone: string, at: number): string {
    const known = knownDays.get(`${timeZone} ${at}`);
    if (known !== undefined) return known;
    const day = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(at);
    knownDays.set(`${timeZone} ${at}`, day);
    return day;
}
const shift = (day: string, days: number): string => new Date(Date.parse(day) + days * 24 * HOUR).toISOString().slice(0, 10);
const daysFrom = (from: string, to: string): string[] => (from > to ? [] : [from, ...daysFrom(shift(from, 1), to)]);

/** The stretch that a day is in, by a name of its own. */
function stretchOf(day: string, interval: string): string {
    if (interval === 'month') return day.slice(0, 7);
    if (interval === 'day') return day;
    const weekday = (new Date(day).getUTCDay() + 6) % 7; // from Monday
    return shift(day, -weekday);
}

function figures(of: Logged[]): Json {
    const times = of.filter((one) => one.responseAt !== null).map((one) => Math.floor((one.responseAt! - one.at) / 1000)).sort((a, b) => a - b);
    const count = times.length;
    const middle = count === 0 ? null : (times[(count - 1) >> 1]! + times[count >> 1]!) / 2;
    return {
        attempts: of.length,
        responses: count,
        response_rate: of.length === 0 ? null : count / of.length,
        avg_response_time_hours: count === 0 ? null : times.reduce((a, b) => a + b, 0) / count / 3600,
        median_response_time_hours: middle === null ? null : middle / 3600,
    };
}

const NEAR = 1e-9;
function holdFigures(actual: Json, of: Logged[], what: string): void {
    const expected = figures(of);
    assert.deepEqual([actual.attempts ?? actual.total_attempts, actual.responses], [expected.attempts, expected.responses], what);
    for (const [name, error] of [['response_rate', NEAR], ['avg_response_time_hours', NEAR], ['median_response_time_hours', 0.032]] as const) {
        if (expected[name] === null) assert.equal(actual[name], null, `${what}: ${name}`);
        else assert.ok(Math.abs(actual[name] - expected[name]) <= expected[name] * error + NEAR, `${what}: ${name} is ${actual[name]}, not ${expected[name]}`);
    }
}

/** Holds a report to a plain recount of what was logged. */
function holdReport(report: Json, all: Logged[], zone: string, asked: Asked, names: Map<string, string>): void {
    const { from, to, interval = 'day', min = 10, users = 10 } = asked;
    const matching = all.filter((one) => one.counts && (asked.method ?? one.method) === one.method && (asked.user ?? one.user) === one.user);
    const between = (first: string, last: string): Logged[] => matching.filter((one) => dayIn(zone, one.at) >= first && dayIn(zone, one.at) <= last);
    const now = between(from, to);
    const group = (key: (one: Logged) => string): Map<string, Logged[]> => {
        const groups = new Map<string, Logged[]>();
        for (const one of now) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
        return groups;
    };
    assert.deepEqual([report.from_date, report.to_date, report.timezone, report.interval, report.median_error], [from, to, zone, interval, 0.032]);
    holdFigures(report, now, 'total');

    const methods = group((one) => one.method);
    assert.deepEqual(report.by_method, Object.fromEntries([...methods].map(([method, of]) => [method, of.length])));
    assert.equal(report.methods.length, methods.size);
    for (const line of report.methods) holdFigures(line, methods.get(line.method)!, line.method);
    const counts = report.methods.map((line: Json) => line.attempts);
    assert.deepEqual(counts, counts.toSorted((a: number, b: number) => b - a));

    const statuses = group((one) => one.status);
    assert.deepEqual(report.by_status, Object.fromEntries([...statuses].map(([status, of]) => [status, of.length])));
    assert.deepEqual(report.statuses.map((line: Json) => line.status), STATUSES.filter((status) => statuses.has(status)));
    for (const line of report.statuses) holdFigures(line, statuses.get(line.status)!, line.status);

    const leaders = [...group((one) => one.user)].filter(([, of]) => of.length >= Math.max(min, 1)).map(([id, of]) => ({ id, name: names.get(id)!, of, ...figures(of) }));
    leaders.sort((a, b) => b.response_rate - a.response_rate || b.attempts - a.attempts || (a.name < b.name ? -1 : 1));
    assert.equal(report.user_count, leaders.length);
    assert.deepEqual(report.users.map((line: Json) => line.user), leaders.slice(0, users).map(({ id, name }) => ({ id, name })));
    report.users.forEach((line: Json, i: number) => holdFigures(line, leaders[i]!.of, leaders[i]!.name));

    const stretches = new Map<string, string[]>();
    for (const day of daysFrom(from, to)) stretches.set(stretchOf(day, interval), [...(stretches.get(stretchOf(day, interval)) ?? []), day]);
    assert.deepEqual(report.over_time.map((line: Json) => [line.from_date, line.to_date]), [...stretches.values()].map((days) => [days[0], days.at(-1)]));
    for (const line of report.over_time) holdFigures(line, between(line.from_date, line.to_date), line.from_date);

    const length = daysFrom(from, to).length;
    const before = between(shift(from, -length), shift(from, -1));
    assert.deepEqual([report.previous.from_date, report.previous.to_date], [shift(from, -length), shift(from, -1)]);
    holdFigures(report.previous, before, 'previous');
    const [current, earlier] = [figures(now), figures(before)];
    const near = (actual: number | null, expected: number | null, error: number, what: string): void =>
        assert.ok(expected === null ? actual === null : Math.abs(actual! - expected) <= error, `${what} changed by ${actual}, not ${expected}`);
    near(report.change.attempts, before.length === 0 ? null : (now.length - before.length) / before.length, NEAR, 'attempts');
    for (const name of ['response_rate', 'avg_response_time_hours', 'median_response_time_hours']) {
        const error = name.startsWith('median') ? 0.032 * ((current[name] ?? 0) + (earlier[name] ?? 0)) : 0;
        near(report.change[name], current[name] === null || earlier[name] === null ? null : current[name] - earlier[name], error + NEAR, name);
    }
}

/** A tenant's people, what they log, and the recount of it. */
class Team {
    readonly all: Logged[] = [];
    readonly names = new Map<string, string>();

    constructor(
        readonly admin: Client,
        public zone: string,
    ) {}

    async ok(method: string, path: string, body?: Json, client: Client = this.admin): Promise<Json> {
        const answer = await client.request(method, path, body);
        assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
        return answer.body;
    }

    async rep(name: string): Promise<{ id: string; client: Client }> {
        const { user, client } = await addPerson(this.admin, 'agent', { name });
        this.names.set(user.id, name);
        return { id: user.id, client };
    }

    customer(fields: Json = {}): Promise<Json> {
        return this.ok('POST', '/customers', { name: 'Lead', ...fields });
    }

    /** By the family of /interactions. */
    async log(rep: { id: string; client: Client }, customer: string, method: string, startedAt: string, fields: Json = {}): Promise<Logged> {
        const { status } = await this.ok('GET', `/customers/${customer}`);
        const made = await this.ok('POST', '/interactions', { customer_id: customer, type: method, direction: 'outbound', subject: 'Hello', started_at: startedAt, ...fields }, rep.client);
        return this.note(made.id, method, rep.id, status, startedAt, fields);
    }

    /** By the lead's own routes. */
    async attempt(rep: { id: string; client: Client }, customer: string, method: string, startedAt: string, fields: Json = {}): Promise<Logged> {
        const { status } = await this.ok('GET', `/leads/${customer}`);
        const made = await this.ok('POST', `/leads/${customer}/contacts`, { method, direction: 'outbound', started_at: startedAt, ...fields }, rep.client);
        return this.note(made.id, method, rep.id, status, startedAt, fields);
    }

    private note(id: string, method: string, user: string, status: string, startedAt: string, fields: Json): Logged {
        const logged = {
            id, method, user, status, at: Date.parse(startedAt),
            responseAt: fields.response_at === undefined ? null : Date.parse(fields.response_at),
            counts: fields.direction !== 'inbound' && method !== 'note' && Date.parse(startedAt) < Date.now(),
        };
        this.all.push(logged);
        return logged;
    }

    async respond(logged: Logged, responseAt: string | null): Promise<void> {
        const body = responseAt === null ? { responded: false } : { responded: true, response_at: responseAt };
        await this.ok('PATCH', `/contacts/${logged.id}/responded`, body);
        logged.responseAt = responseAt === null ? null : Date.parse(responseAt);
    }

    async report(asked: Asked): Promise<Json> {
        const { from, to, method, user, interval, min, users } = asked;
        const pairs = { from_date: from, to_date: to, method, user_id: user, interval, min_attempts: min, users };
        const query = Object.entries(pairs).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`);
        return this.ok('GET', `${ROUTE}?${query.join('&')}`);
    }

    async hold(asked: Asked): Promise<void> {
        holdReport(await this.report(asked), this.all, this.zone, asked, this.names);
    }

    /** By each way of asking. */
    async holdAll(user: string): Promise<void> {
        await this.hold({ from: '2025-02-24', to: '2025-03-16', min: 1 });
        await this.hold({ from: '2025-03-01', to: '2025-03-09', min: 4, interval: 'week' });
        await this.hold({ from: '2025-01-15', to: '2025-03-31', min: 0, users: 2, interval: 'month' });
        await this.hold({ from: '2025-03-01', to: '2025-03-31', method: 'email' });
        await this.hold({ from: '2025-03-01', to: '2025-03-31', user, min: 1 });
        await this.hold({ from: '2025-03-01', to: '2025-03-31', user, method: 'linkedin', min: 1 });
    }
}

const at = (day: number, hour = 10): string => new Date(Date.UTC(2025, 1, 20 + day, hour)).toISOString();
const after = (logged: Logged, hours: number): string => new Date(logged.at + hours * HOUR).toISOString();

/** RFC 4180, without quotes: no figure and no name here needs them. */
const readCsv = (text: string): string[][] => text.trimEnd().split('\r\n').map((line) => line.split(','));

forEachStore((store) => {
    const site = useServer(store);
    const newTeam = async (name: string, zone = 'UTC'): Promise<Team> => {
        const made = await site.site.commandJson('tenant', 'create', name, '--admin', `chief@${name.toLowerCase()}.example`, '--key', '--timezone', zone);
        return new Team(site.server.client(made.key), zone);
    };

    test('every figure is what was logged, and follows every change of it at once', async () => {
        const team = await newTeam('Figures');
        const reps = [await team.rep('Ada'), await team.rep('Ben'), await team.rep('Cleo')] as const;
        const [ada, ben, cleo] = reps;
        const leads = [await team.customer(), await team.customer({ status: 'qualified' }), await team.customer({ status: 'lost' }), await team.customer({ status: 'enriched' })];
        const methods = ['email', 'call', 'linkedin', 'sms', 'meeting', 'email'];
        for (let i = 0; i < 30; i++) {
            const logged = await team.log(reps[i % 3]!, leads[i % 4]!.id, methods[i % 6]!, at(i % 25, i % 24));
            if (i % 3 === 1 || i % 7 === 0) await team.respond(logged, after(logged, 0.003 + i * 1.37));
        }
        await team.log(ada, leads[0]!.id, 'email', at(12), { direction: 'inbound' });
        await team.log(ada, leads[0]!.id, 'note', at(12));
        await team.log(ada, leads[0]!.id, 'call', '2040-01-01T10:00:00Z');
        for (const [i, method] of ['email', 'linkedin', 'phone'].entries()) {
            const logged = await team.attempt(ben, (await team.customer()).id, method, at(14 + i), i === 1 ? { responded: true, response_at: at(16) } : {});
            if (method === 'phone') logged.method = 'call';
        }
        await team.holdAll(cleo.id);

        const [first, second, third, fourth, fifth, sixth] = team.all as [Logged, Logged, Logged, Logged, Logged, Logged];
        await team.respond(first, at(20, 8)); // first, since no attempt begins behind its response
        await team.ok('PATCH', `/interactions/${first.id}`, { started_at: at(20, 3) });
        first.at = Date.parse(at(20, 3));
        await team.ok('PATCH', `/interactions/${second.id}`, { type: 'sms' });
        second.method = 'sms';
        await team.ok('PATCH', `/interactions/${third.id}`, { direction: 'inbound' });
        third.counts = false;
        await team.respond(second, null);
        await team.respond(fourth, after(fourth, 400));
        await team.respond(fourth, after(fourth, 0));
        await team.ok('DELETE', `/interactions/${fourth.id}`);
        fourth.counts = false;
        await team.ok('DELETE', `/interactions/${fifth.id}`);
        await team.ok('PATCH', `/interactions/${sixth.id}`, { subject: 'Nothing that is counted' });
        fifth.counts = false;
        await team.holdAll(ada.id);
        await team.ok('POST', `/interactions/${fifth.id}/restore`);
        fifth.counts = true;
        await team.holdAll(ben.id);

        const merged = await team.ok('POST', `/customers/${leads[0]!.id}/merge`, { merged_id: leads[1]!.id });
        await team.holdAll(ada.id);
        await team.ok('POST', `/customers/${leads[0]!.id}/merges/${merged.id}/undo`);
        await team.ok('POST', `/users/${cleo.id}/deactivate`);
        await team.holdAll(cleo.id);
    });

    test('the shape as printed, and nothing at all', async () => {
        const team = await newTeam('Printed');
        const empty = await team.ok('GET', ROUTE);
        assert.deepEqual([empty.total_attempts, empty.by_method, empty.response_rate, empty.avg_response_time_hours, empty.median_response_time_hours, empty.users, empty.recounting],
            [0, {}, null, null, null, [], false]);
        assert.equal(empty.over_time.length, 30);
        assert.equal(empty.over_time.at(-1).to_date, empty.to_date);
        assert.deepEqual(empty.change, { attempts: null, response_rate: null, avg_response_time_hours: null, median_response_time_hours: null });

        const rep = await team.rep('Ada');
        for (const method of ['email', 'email', 'linkedin', 'call']) {
            const logged = await team.log(rep, (await team.customer()).id, method, at(1));
            if (method === 'call') await team.respond(logged, after(logged, 18.5));
        }
        const printed = await team.ok('GET', `${ROUTE}?from_date=2025-02-01&to_date=2025-02-28`);
        const { total_attempts, by_method, response_rate, avg_response_time_hours } = printed;
        assert.deepEqual({ total_attempts, by_method, response_rate, avg_response_time_hours },
            { total_attempts: 4, by_method: { email: 2, linkedin: 1, call: 1 }, response_rate: 0.25, avg_response_time_hours: 18.5 });
        assert.deepEqual(Object.keys(by_method), ['email', 'call', 'linkedin'], 'most first');
        assert.deepEqual((await team.ok('GET', `${ROUTE}?from_date=2025-02-01&to_date=2025-02-28&method=phone`)).by_method, { call: 1 });
    });

    test('who leads: ten attempts at least, and ten people', async () => {
        const team = await newTeam('Leaders');
        const customers = await Promise.all(Array.from({ length: 10 }, () => team.customer({ status: 'qualified' })));
        for (let i = 0; i < 12; i++) {
            const rep = await team.rep(`Rep ${String.fromCharCode(77 - i)}`);
            const count = i === 4 ? 9 : i === 5 ? 11 : 10;
            const rows = Array.from({ length: count }, (_, j) => ({ customer_id: customers[j % 10]!.id, type: 'email', direction: 'outbound', subject: 'Hello', started_at: at(j) }));
            const made = await team.ok('POST', '/interactions/bulk', { rows }, rep.client);
            for (const [j, row] of made.rows.entries()) {
                const logged = { id: row.id, method: 'email', user: rep.id, status: 'qualified', at: Date.parse(at(j)), responseAt: null, counts: true };
                team.all.push(logged);
                if (j < i % 3 || i === 4) await team.respond(logged, after(logged, 1 + i));
            }
        }
        const days = { from: '2025-02-20', to: '2025-03-20' };
        await team.hold(days);
        for (const [min, users] of [[9, 1], [11, 10], [0, 100], [12, 1]] as const) await team.hold({ ...days, min, users });
        const leaders = await team.report(days);
        assert.deepEqual([leaders.users.length, leaders.user_count], [10, 11]);
        const table = await team.ok('GET', `${ROUTE}/users?from_date=2025-02-20&to_date=2025-03-20`);
        assert.equal(table.total, 11);
        assert.deepEqual(table.data.slice(0, 10).map((row: Json) => row.user_id), leaders.users.map((row: Json) => row.user.id));
        assert.equal((await team.ok('GET', `${ROUTE}/users?from_date=2025-02-20&to_date=2025-03-20&min_attempts=9`)).data[0].response_rate, 1);
    });

    test('tables by page, by offset, by cursor, and as CSV', async () => {
        const team = await newTeam('Tables');
        const reps = [await team.rep('Ada'), await team.rep('Ben')];
        const statuses = ['qualified', 'lost', 'converted'];
        const leads = await Promise.all(statuses.map((status) => team.customer({ status })));
        for (let i = 0; i < 12; i++) {
            const logged = await team.log(reps[i % 2]!, leads[i % 3]!.id, ['email', 'call', 'sms'][i % 3]!, at(i));
            if (i % 4 === 0) await team.respond(logged, after(logged, 2));
        }
        const days = 'from_date=2025-02-20&to_date=2025-03-05';
        const report = await team.ok('GET', `${ROUTE}?${days}&min_attempts=1`);
        const figureNames = ['attempts', 'responses', 'response_rate', 'avg_response_time_hours', 'median_response_time_hours'];
        const flat = report.users.map(({ user, ...rest }: Json) => ({ user_id: user.id, user_name: user.name, ...rest }));
        for (const [path, rows, head, more] of [
            ['methods', report.methods, ['method'], ''], ['statuses', report.statuses, ['status'], ''],
            ['users', flat, ['user_id', 'user_name'], '&min_attempts=1'], ['over-time', report.over_time, ['from_date', 'to_date'], '&interval=day'],
        ] as [string, Json[], string[], string][]) {
            const read = (query: string): Promise<Json> => team.ok('GET', `${ROUTE}/${path}?${days}${more}${query}`);
            const whole = await read('');
            assert.deepEqual([whole.data, whole.total, whole.next_cursor], [rows, rows.length, null], path);
            assert.ok(rows.length > 1);
            assert.deepEqual((await read('&page=2&page_size=1')).data, [rows[1]]);
            assert.deepEqual((await read('&limit=5&offset=1')).data, rows.slice(1, 6));
            assert.deepEqual((await read('&limit=5&offset=100')).data, []);
            const gathered: Json[] = [];
            for (let cursor = ''; ;) {
                const page = await read(`&limit=1${cursor}`);
                assert.equal(page.total, rows.length);
                gathered.push(...page.data);
                if (page.next_cursor === null) break;
                cursor = `&cursor=${page.next_cursor}`;
            }
            assert.deepEqual(gathered, rows);
            const csv = await team.admin.get(`${ROUTE}/${path}?${days}${more}&format=csv`);
            assert.match(csv.headers['content-type']!, /^text\/csv/);
            const names = [...head, ...figureNames];
            assert.deepEqual(readCsv(csv.text), [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))]);
        }
        const weeks = await team.ok('GET', `${ROUTE}/over-time?${days}&interval=week`);
        assert.deepEqual(weeks.data.map((row: Json) => row.from_date), ['2025-02-20', '2025-02-24', '2025-03-03']);
    });

    test('days are those of the tenant\'s calendar, also when that changes', async () => {
        const team = await newTeam('Zones', 'Europe/Berlin');
        const rep = await team.rep('Ada');
        const move = async (timezone: string): Promise<void> => {
            await team.ok('PATCH', '/tenant', { timezone });
            team.zone = timezone;
            for (let tries = 0; (await team.ok('GET', ROUTE)).recounting; tries++) {
                assert.ok(tries < 300, 'the recount does not end');
                await sleep(200);
            }
        };
        const lead = (await team.customer()).id;
        await team.log(rep, lead, 'email', '2025-02-28T23:30:00Z');
        const days = (query: string): Promise<Json> => team.ok('GET', `${ROUTE}?${query}`);
        assert.equal((await days('from_date=2025-03-01&to_date=2025-03-01')).total_attempts, 1);
        assert.equal((await days('from_date=2025-02-28&to_date=2025-02-28')).total_attempts, 0);
        // A time means its day: these two are 1 March in Berlin.
        assert.equal((await days('from_date=2025-02-28T23:00:00Z&to_date=2025-03-01T22:59:59Z')).total_attempts, 1);
        assert.equal((await days(`from_date=${encodeURIComponent('2025-03-01T00:00:00+01:00')}&to_date=2025-03-01`)).from_date, '2025-03-01');
        // The clocks go forward on 30 March.
        for (const time of ['2025-03-29T22:59:59Z', '2025-03-29T23:00:00Z', '2025-03-30T21:59:59Z', '2025-03-30T22:00:00Z']) await team.log(rep, lead, 'call', time);
        const asked = { from: '2025-02-27', to: '2025-03-31', min: 1 };
        await team.hold(asked);
        for (const zone of ['America/New_York', 'Pacific/Kiritimati']) {
            await move(zone);
            await team.hold(asked);
            await team.hold({ ...asked, interval: 'week' });
        }
    });

    test('bad input, every fault of it', async () => {
        const bad = async (query: string, path = ''): Promise<string[]> => {
            const answer = await site.admin.get(`${ROUTE}${path}?${query}`);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(await bad('method=fax&from_date=yesterday&to_date=2025-02-29&user_id=me&interval=year&min_attempts=-1&users=0&limit=5'),
            ['from_date bad_format', 'interval not_one_of', 'limit unknown_field', 'method not_one_of', 'min_attempts too_small', 'to_date bad_format', 'user_id bad_format', 'users too_small']);
        assert.deepEqual(await bad('from_date=&to_date=2025-02-01T10:00:00'), ['from_date bad_format', 'to_date bad_format']);
        assert.deepEqual(await bad('users=ten&min_attempts=1.5&users=3'), ['min_attempts bad_format', 'users bad_format', 'users repeated']);
        assert.deepEqual(await bad('from_date=2025-03-02&to_date=2025-03-01'), ['to_date too_small']);
        assert.deepEqual(await bad('from_date=2999-01-01'), ['from_date too_large']);
        assert.deepEqual(await bad('from_date=2000-01-01&to_date=2025-03-01'), ['to_date too_large']);
        assert.deepEqual(await bad('from_date=1000-01-01'), ['from_date too_small']);
        assert.deepEqual(await bad('interval=day', '/methods'), ['interval unknown_field']);
        assert.deepEqual(await bad('users=3', '/users'), ['users unknown_field']);
        assert.deepEqual(await bad('min_attempts=3&cursor=x', '/over-time'), ['cursor bad_format', 'min_attempts unknown_field']);
        for (const query of ['from_date=0001-01-01&to_date=0001-01-01', 'to_date=9999-12-31', 'from_date=0001-01-01T00:00:00Z&to_date=0001-01-02'])
            assert.equal((await site.admin.get(`${ROUTE}?${query}`)).status, 200, query);
    });

    test('every role may read it, of their own tenant only', async () => {
        const other = await newTeam('Strangers');
        const rep = await other.rep('Eve');
        await other.log(rep, (await other.customer()).id, 'email', at(1));
        const days = 'from_date=2025-02-01&to_date=2025-03-31';
        for (const role of roles) {
            const { client } = await addPerson(site.admin, role);
            for (const path of ['', '/methods', '/statuses', '/users', '/over-time']) {
                assert.equal((await client.get(`${ROUTE}${path}?${days}`)).status, 200, `${role} ${path}`);
                const answers = await Promise.all([rep.id, unknown].map((id) => client.get(`${ROUTE}${path}?${days}&user_id=${id}`)));
                for (const answer of answers) assert.deepEqual([answer.status, answer.body.detail], [404, 'There is no such record: user_id.']);
            }
            assert.equal((await client.get(`${ROUTE}?${days}`)).body.total_attempts, 0);
        }
        assert.equal((await site.anonymous.get(ROUTE)).status, 401);
        assert.equal((await other.ok('GET', `${ROUTE}?${days}`)).total_attempts, 1);
    });
});
