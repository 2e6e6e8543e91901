// Who may do what, made from /openapi.json: every operation × every role and no credential ×
// own, foreign and unknown ids, in the path, in the query and inside bodies. A new route is
// in here by being in the route table.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, invite, roles, type Role } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

/** The records that ids name. */
type Kind = 'customer' | 'company' | 'user' | 'interaction' | 'session' | 'note' | 'key' | 'token' | 'event' | 'merge' | 'tenant' | 'import';
type Records = Record<Kind, string>;

/** What a path parameter names, by the segment before it. */
const KIND_OF_SEGMENT: Record<string, Kind> = {
    customers: 'customer', contacts: 'customer', leads: 'customer', customer: 'customer',
    companies: 'company', company: 'company',
    users: 'user', user: 'user', assignee: 'user', 'created-by': 'user', attendees: 'user',
    interactions: 'interaction', interaction: 'interaction', 'contact-attempts': 'interaction',
    sessions: 'session', session: 'session',
    notes: 'note', keys: 'key', tokens: 'token', 'contact-events': 'event', merges: 'merge', tenants: 'tenant', imports: 'import',
};
/** Seed 004 calls attempts contacts here. */
const ATTEMPT = /\/contacts\/\{id\}\/responded$/;
/** What an id in a body or a query names, by its field. */
const KIND_OF_FIELD: Record<string, Kind> = {
    customer_id: 'customer', ids: 'customer', customer_ids: 'customer', contact_id: 'customer', merged_id: 'customer',
    event_id: 'event', event_ids: 'event',
    company_id: 'company',
    user_id: 'user', owner_id: 'user', attendee_id: 'user', reassign_to: 'user', created_by: 'user', assignee_id: 'user',
    follow_up_assignee: 'user', assignee: 'user', assigned_to: 'user', attendees: 'user', started_by: 'user', addressee_id: 'user',
    session_id: 'session',
    interaction_id: 'interaction', parent_interaction_id: 'interaction',
    id: 'user',
};
/** Path parameters that are no ids. */
const WORDS: Record<string, string> = {
    tag: 'vip', type: 'call', outcome: 'successful', external_id: 'own-1', email: 'nobody@access.example', key: 'tier',
    field: 'tier', name: 'tier', status: 'new', method: 'email',
};
/** Ids by which nothing is looked up, so that any of them will do. */
const FREE_IDS = new Set(['campaign_id']);

/** What a body needs though its schema cannot say so: by path, and by the field that has the id. */
const ALSO_REQUIRED: [RegExp, string][] = [[/\/owner$|\/bulk\/assign$/, 'owner_id'], [/\/bulk\/tag$/, 'add']];
/** What only the addressee may say: here that is the contact. */
const ADDRESSEE_ONLY = /\/mark-delivered$/;
const BESIDE: Record<string, Json> = { parent_interaction_id: { chunk_number: 2, total_chunks: 3 } };

/** Who asks, from the least on: a contact token is a customer's own app. */
type Caller = 'none' | 'contact' | Role;
const ranks: readonly Caller[] = ['contact', ...roles];

interface Operation {
    method: string;
    path: string;
    role: Role | 'public' | 'contact' | 'operator';
    /** Its answer has no end. */
    streams: boolean;
    body: Json | undefined;
    parameters: Json[];
}

class Api {
    readonly operations: Operation[] = [];

    constructor(private readonly document: Json) {
        for (const [path, item] of Object.entries<Json>(document.paths)) {
            for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
                const operation = item[method];
                if (operation === undefined || !path.startsWith('/api/v1/')) continue;
                const content = this.resolve(operation.requestBody ?? {}).content ?? {};
                const media = Object.keys(content).find((name) => /json$/.test(name));
                const schema = media === undefined ? undefined : this.resolve(content[media].schema);
                const also = ALSO_REQUIRED.filter(([where]) => where.test(path)).map(([, field]) => field);
                this.operations.push({
                    method: method.toUpperCase(),
                    path: path.slice('/api/v1'.length),
                    role: operation['x-role'],
                    streams: 'text/event-stream' in (this.resolve(operation.responses['200'] ?? {}).content ?? {}),
                    body: schema && { ...schema, required: [...(schema.required ?? []), ...also] },
                    parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((p) => this.resolve(p)),
                });
            }
        }
    }

    resolve(value: Json): Json {
        if (typeof value.$ref !== 'string') return value;
        const steps = value.$ref.slice(2).split('/').map((step: string) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
        return this.resolve(steps.reduce((at: Json, step: string) => at[step], this.document));
    }

    /** A value that the schema allows, with the ids of `records`. */
    sample(schema: Json, field: string, records: Records): Json {
        const s = this.resolve(schema);
        if (s.oneOf ?? s.anyOf) return this.sample((s.oneOf ?? s.anyOf)[0], field, records);
        if (s.format === 'uuid') return records[kindOf(field)];
        if (s.enum) return s.enum[0];
        if (s.examples) return s.examples[0];
        const type = Array.isArray(s.type) ? s.type[0] : s.type;
        switch (type) {
            case 'object': {
                const names: string[] = s.required ?? [];
                return Object.fromEntries(names.map((name) => [name, this.sample(s.properties[name], name, records)]));
            }
            case 'array':
                return ['', 'rows', 'add'].includes(field) || (s.minItems ?? 0) > 0 ? [this.sample(s.items, field, records)] : [];
            case 'boolean':
                return true;
            case 'integer':
            case 'number':
                return s.minimum ?? 1;
        }
        if (s.format === 'date-time') return field === 'until' ? '2040-01-05T10:00:00Z' : '2026-01-05T10:00:00Z';
        if (s.format === 'sha256') return '0'.repeat(64);
        if (s.format === 'email') return 'sample@access.example';
        return 'sample'.padEnd(s.minLength ?? 1, 'x');
    }

    /** The places in a body where an id may stand: ["rows", 0, "customer_id"]. */
    slots(schema: Json, field = ''): { place: (string | number)[]; field: string }[] {
        const s = this.resolve(schema);
        if (s.oneOf ?? s.anyOf) return this.slots((s.oneOf ?? s.anyOf)[0], field);
        if (s.format === 'uuid') return [{ place: [], field }];
        const inner = s.properties
            ? Object.entries<Json>(s.properties).flatMap(([name, value]) =>
                  this.slots(value, name).map((slot) => ({ ...slot, place: [name, ...slot.place] })))
            : s.items
              ? this.slots(s.items, field).map((slot) => ({ ...slot, place: [0, ...slot.place] }))
              : [];
        return inner as { place: (string | number)[]; field: string }[];
    }

    /** `schema`'s sample with `id` in one slot; what stands around the slot is filled in. */
    sampleWith(schema: Json, place: (string | number)[], id: string, field: string, records: Records): Json {
        const s = this.resolve(schema);
        if (s.oneOf ?? s.anyOf) return this.sampleWith((s.oneOf ?? s.anyOf)[0], place, id, field, records);
        if (place.length === 0) return id;
        const [step, ...rest] = place;
        if (typeof step === 'number') return [this.sampleWith(s.items, rest, id, field, records)];
        return { ...this.sample(s, field, records), ...BESIDE[step!], [step!]: this.sampleWith(s.properties[step!], rest, id, step!, records) };
    }
}

function kindOf(field: string): Kind {
    const kind = KIND_OF_FIELD[field];
    assert.ok(kind, `which record does the id in "${field}" name? Say so in KIND_OF_FIELD.`);
    return kind;
}

/** The kinds of a path's ids, in its order; null for parameters that are no ids. */
function kindsOfPath(path: string): (Kind | null)[] {
    const segments = path.split('/');
    return segments.flatMap((segment, i) => {
        const name = /^\{(.*)\}$/.exec(segment)?.[1];
        if (name === undefined) return [];
        const kind = ATTEMPT.test(path) ? 'interaction' : KIND_OF_SEGMENT[segments[i - 1]!];
        if (kind !== undefined && name.endsWith('id') && name !== 'external_id') return [kind];
        assert.ok(WORDS[name], `${path}: what is {${name}}? Say so in KIND_OF_SEGMENT or WORDS.`);
        return [null];
    });
}

function fill(path: string, ids: (string | null)[]): string {
    let i = 0;
    return path.replace(/\{([^}]*)\}/g, (_, name: string) => ids[i++] ?? WORDS[name]!);
}

/** What must not tell foreign from unknown. */
function told({ status, headers, body }: Answer, id: string): Json {
    const text = JSON.stringify(body ?? null).replaceAll(id, '(the id)');
    const { request_id: _, ...rest } = JSON.parse(text) ?? {};
    return { status, type: headers['content-type'], etag: headers.etag, location: headers.location, rest };
}

async function makeRecords(admin: Client, external_id: string): Promise<Records> {
    const made = async (path: string, body: Json): Promise<string> => {
        const answer = await admin.post(path, body);
        assert.ok(answer.status === 201 || answer.status === 200, `${path}: ${answer.text}`);
        return answer.body.id;
    };
    const user = (await invite(admin, 'agent')).id;
    const company = await made('/companies', { name: 'Records Ltd' });
    const customer = await made('/customers', { name: 'Record Person', external_id });
    return {
        user, company, customer,
        key: await made('/keys', { user_id: user, name: 'spare' }),
        session: await made('/sessions', { customer_id: customer }),
        event: await made('/contact-events', { contact_id: customer, event_type: 'sample', category: 'general', visible_to_client: true }),
        merge: await made(`/customers/${customer}/merge`, { merged_id: await made('/customers', { name: 'The same person' }) }),
        token: await made(`/customers/${customer}/tokens`, {}),
        note: await made(`/customers/${customer}/notes`, { text: 'A note' }),
        interaction: await made('/interactions', {
            customer_id: customer, type: 'call', direction: 'outbound', subject: 'A call', started_at: '2026-01-05T10:00:00Z',
        }),
        import: await made('/imports', { name: 'people.csv', source_hash: 'a'.repeat(64) }),
        tenant: (await admin.get('/tenant')).body.id,
    };
}

forEachStore((store) => {
    const site = useServer(store);
    const clients = new Map<Caller, Client>();
    let api: Api;
    let own: Records;
    let neighbour: Records; // of another customer of the same tenant
    let foreign: Records;
    let foreignAdmin: Client;

    before(async () => {
        clients.set('none', site.anonymous);
        for (const role of roles) clients.set(role, (await addPerson(site.admin, role)).client);
        foreignAdmin = site.server.client((await site.site.createTenant('Foreign', 'admin@foreign.example')).key);
        own = await makeRecords(site.admin, 'own-1');
        neighbour = await makeRecords(site.admin, 'neighbour-1');
        foreign = await makeRecords(foreignAdmin, 'own-1');
        clients.set('contact', site.anonymous.withKey((await site.admin.post(`/customers/${own.customer}/tokens`)).body.token));
        api = new Api((await site.anonymous.openapi()).document);
    });

    const bodyOf = (operation: Operation): Json =>
        operation.body === undefined ? undefined : api.sample(operation.body, '', own);
    const ownPath = (operation: Operation): string =>
        fill(operation.path, kindsOfPath(operation.path).map((kind) => (kind === null ? null : own[kind])));
    /** With what its query needs. */
    const send = (client: Client, operation: Operation, path: string, body: Json): Promise<Answer> => {
        const needed = operation.parameters.filter((parameter) => parameter.in === 'query' && parameter.required && !path.includes('?'));
        const query = needed.map(({ name, schema }) => `${name}=${api.sample(schema, name, own)}`).join('&');
        return client.request(operation.method, query === '' ? path : `${path}?${query}`, body);
    };

    test('every operation names its role', () => {
        assert.ok(api.operations.length > 20);
        for (const operation of api.operations) {
            assert.ok(['public', ...ranks, 'operator'].includes(operation.role), `${operation.method} ${operation.path}`);
        }
    });

    test('without a credential it is 401, below the role 403, whatever the id', async () => {
        for (const operation of api.operations) {
            if (operation.role === 'public') continue;
            const needed = operation.role === 'operator' ? ranks.length : ranks.indexOf(operation.role);
            for (const who of ['none', ...ranks.slice(0, needed)] as const) {
                for (const records of [own, foreign, null]) {
                    const ids = kindsOfPath(operation.path).map((kind) => kind && (records?.[kind] ?? UNKNOWN));
                    const answer = await send(clients.get(who)!, operation, fill(operation.path, ids), bodyOf(operation));
                    assert.equal(answer.status, who === 'none' ? 401 : 403,
                        `${operation.method} ${operation.path} as ${who}: ${answer.text}`);
                }
            }
        }
    });

    test('a contact token reaches nothing of another customer', async () => {
        let tried = 0;
        for (const operation of api.operations) {
            if (operation.role !== 'contact' || operation.streams) continue;
            const kinds = kindsOfPath(operation.path);
            const where = `${operation.method} ${operation.path}`;
            for (const [place, kind] of kinds.entries()) {
                if (kind === null) continue;
                const sendWith = (id: string): Promise<Answer> =>
                    send(clients.get('contact')!, operation, fill(operation.path, kinds.map((other, i) => (i === place ? id : other && own[other]))), bodyOf(operation));
                const theirs = await sendWith(neighbour[kind]);
                assert.deepEqual(told(theirs, neighbour[kind]), told(await sendWith(UNKNOWN), UNKNOWN), where);
                assert.equal(theirs.status, 404, `${where}: ${theirs.text}`);
                tried += 1;
            }
            for (const parameter of operation.parameters) {
                if (parameter.in !== 'query' || api.resolve(parameter.schema).format !== 'uuid') continue;
                const kind = kindOf(parameter.name);
                const sendWith = (id: string): Promise<Answer> =>
                    send(clients.get('contact')!, operation, `${ownPath(operation)}?${parameter.name}=${id}`, bodyOf(operation));
                const theirs = await sendWith(neighbour[kind]);
                assert.deepEqual(told(theirs, neighbour[kind]), told(await sendWith(UNKNOWN), UNKNOWN), `${where} ${parameter.name}`);
                tried += 1;
            }
        }
        assert.ok(tried > 0, 'some routes with ids are open to contacts');
    });

    /** A snapshot of what belongs to the other tenant. */
    const foreignState = async (): Promise<Json> => {
        const paths = [`/customers/${foreign.customer}/tokens`, `/users/${foreign.user}`, `/companies/${foreign.company}`, `/customers/${foreign.customer}`,
            `/keys/${foreign.key}`, `/sessions/${foreign.session}`, `/interactions/${foreign.interaction}`,
            `/imports/${foreign.import}`, '/tenant', '/imports',
            `/customers/${foreign.customer}/notes`, '/customers', '/interactions', '/companies', '/users', '/keys',
            `/contact-events/${foreign.event}`, `/customers/${foreign.customer}/events`];
        const answers = await Promise.all(paths.map((path) => foreignAdmin.get(path)));
        for (const answer of answers) assert.equal(answer.status, 200, answer.text);
        return answers.map((answer) => answer.body);
    };

    test('an id of another tenant in a path is an unknown one', async () => {
        const state = await foreignState();
        for (const operation of api.operations) {
            if (operation.role === 'operator') continue;
            const kinds = kindsOfPath(operation.path);
            for (const [place, kind] of kinds.entries()) {
                if (kind === null) continue;
                const pathWith = (id: string): string =>
                    fill(operation.path, kinds.map((other, i) => (i === place ? id : other && own[other])));
                const where = `${operation.method} ${operation.path}`;
                const theirs = await send(site.admin, operation, pathWith(foreign[kind]), bodyOf(operation));
                const nobodys = await send(site.admin, operation, pathWith(UNKNOWN), bodyOf(operation));
                assert.deepEqual(told(theirs, foreign[kind]), told(nobodys, UNKNOWN), where);
                if (theirs.status === 200 && operation.method === 'GET') {
                    assert.deepEqual(theirs.body.data ?? theirs.body.events, [], `${where}: a list of what is not there`);
                } else {
                    assert.equal(theirs.status, 404, `${where}: ${theirs.text}`);
                }
            }
        }
        assert.deepEqual(await foreignState(), state);
    });

    test('an id of another tenant in a body is an unknown one', async () => {
        const state = await foreignState();
        let tried = 0;
        for (const operation of api.operations) {
            if (operation.body === undefined || operation.role === 'operator') continue;
            for (const slot of api.slots(operation.body)) {
                if (FREE_IDS.has(slot.field)) continue;
                const kind = kindOf(slot.field);
                const where = `${operation.method} ${operation.path} ${slot.place.join('.')}`;
                const sendWith = (id: string): Promise<Answer> =>
                    send(site.admin, operation, ownPath(operation), api.sampleWith(operation.body, slot.place, id, '', own));
                const theirs = await sendWith(foreign[kind]);
                const nobodys = await sendWith(UNKNOWN);
                tried += 1;
                assert.deepEqual(told(theirs, foreign[kind]), told(nobodys, UNKNOWN), where);
                const status = theirs.status === 200 ? theirs.body.rows?.[0]?.status : theirs.status;
                assert.equal(status, 404, `${where}: ${theirs.text}`);
            }
        }
        assert.ok(tried > 5, `${tried}`);
        assert.deepEqual(await foreignState(), state);
    });

    test('an id of another tenant in a query is an unknown one', async () => {
        for (const operation of api.operations) {
            if (operation.method !== 'GET' || operation.role === 'operator' || operation.streams) continue;
            for (const parameter of operation.parameters) {
                if (parameter.in !== 'query' || api.resolve(parameter.schema).format !== 'uuid') continue;
                const kind = kindOf(parameter.name);
                const get = (id: string): Promise<Answer> => site.admin.get(`${ownPath(operation)}?${parameter.name}=${id}`);
                const theirs = await get(foreign[kind]);
                assert.deepEqual(told(theirs, foreign[kind]), told(await get(UNKNOWN), UNKNOWN), `${operation.path} ${parameter.name}`);
            }
        }
    });

    test('with the role, it is neither', async () => {
        // What ends records comes last, so that what comes before has something to work on.
        const ends = (operation: Operation): boolean => operation.method === 'DELETE' || /deactivate$/.test(operation.path);
        const ordered = [...api.operations.filter((o) => !ends(o)), ...api.operations.filter(ends)];
        for (const operation of ordered) {
            if (operation.role === 'operator' || operation.path === '/login' || operation.streams) continue;
            const least = operation.role === 'public' ? -1 : ranks.indexOf(operation.role);
            for (const who of [...(least < 0 ? ['none' as const] : []), ...ranks.slice(Math.max(least, 0))]) {
                const answer = await send(clients.get(who)!, operation, ownPath(operation), bodyOf(operation));
                const where = `${operation.method} ${operation.path} as ${who}: ${answer.text}`;
                assert.ok(answer.status !== 401 && answer.status < 500, where);
                const anybodyElse = ADDRESSEE_ONLY.test(operation.path) && who !== 'contact';
                if ((who === 'admin' && !anybodyElse) || who === operation.role) assert.notEqual(answer.status, 403, where);
            }
        }
    });
});
