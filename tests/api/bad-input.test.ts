// Bad input: every fault at once and by name, what cannot be read is one 400, and nothing is
// written by a request that was refused.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { faults, invite } from '../kit/people.ts';
import { RawConnection } from '../kit/raw.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const BODY_MAX = 1024 * 1024;

forEachStore((store) => {
    const site = useServer(store);
    let admin: Client;
    let customer: Json;
    let interaction: Json;
    /** By path: a body that is right, and its free member. */
    let right: Record<string, { body: Json; free: string }>;

    before(async () => {
        admin = site.admin;
        customer = (await admin.post('/customers', { name: 'Jane Doe' })).body;
        const call = {
            customer_id: customer.id, type: 'call', direction: 'outbound', subject: 'A call', started_at: '2025-12-28T10:30:00Z',
        };
        interaction = (await admin.post('/interactions', call)).body;
        right = {
            '/customers': { body: { name: 'Jane Doe' }, free: 'custom_fields' },
            '/interactions': { body: call, free: 'metadata' },
        };
    });

    async function state(): Promise<Json> {
        const totals = await Promise.all(['/customers', '/interactions', '/companies', '/users'].map((path) => admin.get(`${path}?limit=1`)));
        const records = [await admin.get(`/customers/${customer.id}`), await admin.get(`/interactions/${interaction.id}`)];
        return [...totals.map(({ body }) => body.total), ...records.map(({ body }) => body)];
    }

    /** Does it, and holds that nothing has changed. */
    async function writesNothing(refused: () => Promise<void>): Promise<void> {
        const before = await state();
        await refused();
        assert.deepEqual(await state(), before);
    }

    /** The right body as text, with `text` for its free member. */
    function withFree(path: string, text: string): string {
        const { body, free } = right[path]!;
        return `${JSON.stringify(body).slice(0, -1)},"${free}":${text}}`;
    }

    function assertProblem(answer: Answer, status: number, what: string): void {
        assert.equal(answer.status, status, `${what}: ${answer.text}`);
        assert.match(answer.headers['content-type']!, /^application\/problem\+json/);
        assert.equal(answer.body.status, status);
        assert.equal(answer.body.request_id, answer.headers['x-request-id']);
        assert.ok(answer.body.title.length > 0 && answer.body.detail.length > 0);
    }

    test('what cannot be read is a 400', async () => {
        const nested = (levels: number) => '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1);
        const lists = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
        const free: Record<string, string | Buffer> = {
            'a level too deep': nested(32),
            'a list a level too deep': lists(32),
            'a hundred thousand levels': '['.repeat(100_000),
            'a key twice': '{"a":1,"b":2,"a":1}',
            'a key twice, once escaped': '{"a":1,"\\u0061":2}',
            'a key twice, deep inside': '{"a":[{"b":{"c":1,"c":2}}]}',
            'half a pair': '{"a":"\\ud83d"}',
            'the other half': '{"a":"\\ude00"}',
            'halves the wrong way round': '{"a":"\\ude00\\ud83d"}',
            'half a pair and a letter': '{"a":"\\ud83dx"}',
            'half a pair in a key': '{"\\ud83d":1}',
            'an escaped NUL': '{"a":"b\\u0000c"}',
            'an escaped NUL in a key': '{"a\\u0000b":1}',
            'a NUL': '{"a":"b\0c"}',
            'a NUL behind a number': '{"a":1\0}',
            'a line end in a text': '{"a":"b\nc"}',
            'an escape that is none': '{"a":"\\x41"}',
            'a number past a double': '{"a":1e400}',
            'a number below a double': '{"a":-1e400}',
            'an integer past 64 bits': '{"a":9223372036854775808}',
            'an integer below 64 bits': '{"a":-9223372036854775809}',
            'an integer of a thousand digits': `{"a":${'9'.repeat(1000)}}`,
            'a leading zero': '{"a":01}',
            'a plus': '{"a":+1}',
            'a bare point': '{"a":.5}',
            'a point without digits': '{"a":1.}',
            'not a number': '{"a":NaN}',
            infinity: '{"a":Infinity}',
            'hexadecimal': '{"a":0x10}',
            'a comma too many': '{"a":1,}',
            'a comment': '{"a":1/* one */}',
            'single quotes': "{'a':1}",
            'a bare key': '{a:1}',
            'a word': '{"a":True}',
        };
        const bytes: Record<string, Buffer> = {
            'a byte that UTF-8 has not': Buffer.from([0xff]),
            'a byte that only continues': Buffer.from([0x80]),
            'a start without its end': Buffer.from([0xc3]),
            'overlong': Buffer.from([0xc0, 0xaf]),
            'overlong of three bytes': Buffer.from([0xe0, 0x80, 0xaf]),
            'a surrogate': Buffer.from([0xed, 0xa0, 0xbd]),
            'a pair of surrogates': Buffer.from([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]),
            'past U+10FFFF': Buffer.from([0xf4, 0x90, 0x80, 0x80]),
            'Latin-1': Buffer.from('Müller', 'latin1'),
        };
        await writesNothing(async () => {
            for (const path of Object.keys(right)) {
                for (const [what, text] of Object.entries(free)) {
                    assertProblem(await admin.post(path, withFree(path, text as string)), 400, `${path}: ${what}`);
                }
                for (const [what, wrong] of Object.entries(bytes)) {
                    const [head, tail] = withFree(path, '{"a":"|"}').split('|');
                    const body = Buffer.concat([Buffer.from(head!), wrong, Buffer.from(tail!)]);
                    assertProblem(await admin.post(path, body), 400, `${path}: ${what}`);
                }
                const whole = JSON.stringify(right[path]!.body);
                for (const body of ['', ' ', whole.slice(0, -1), `${whole}{}`, `${whole}]`, `\ufeff${whole}`, `${whole},`, 'null null', '{', '"', '\\']) {
                    assertProblem(await admin.post(path, body), 400, `${path}: ${JSON.stringify(body.slice(-20))}`);
                }
                assertProblem(await admin.post(path, `{"a":1,${whole.slice(1, -1)},"a":1}`), 400, 'a key twice');
            }
        });
        // At the very edge it can be read.
        for (const path of Object.keys(right)) {
            for (const text of [
                nested(31), lists(31), '{"a":9223372036854775807,"b":-9223372036854775808,"c":1.7976931348623157e308}',
                '{"a":"\\ud83d\\ude00 \\uffff \u{10ffff}","A":1,"":2}',
            ]) {
                const made = await admin.post(path, withFree(path, text));
                assert.equal(made.status, 201, made.text);
                assert.deepEqual(made.body[right[path]!.free], JSON.parse(text));
            }
        }
    });

    test('the reason does not repeat what was sent', async () => {
        for (const path of Object.keys(right)) {
            const answer = await admin.post(path, withFree(path, '{"a":"hunter2" "b"}'));
            assertProblem(answer, 400, path);
            assert.equal(answer.text.includes('hunter2'), false);
        }
    });

    test('a body has a size', async () => {
        const pad = (path: string, size: number) => {
            const text = JSON.stringify(right[path]!.body);
            return text + ' '.repeat(size - text.length);
        };
        for (const path of Object.keys(right)) {
            assert.equal((await admin.post(path, pad(path, BODY_MAX))).status, 201);
            await writesNothing(async () => {
                const head = `POST /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${site.tenant.key}\r\n` +
                    'Content-Type: application/json\r\n';
                const declared = await RawConnection.open(site.server.url);
                declared.send(`${head}Content-Length: ${BODY_MAX + 1}\r\n\r\n`);
                assert.deepEqual((await declared.answersUntilClosed()).map(({ status }) => status), [413]);
                declared.destroy();
                const chunked = await RawConnection.open(site.server.url);
                const body = pad(path, BODY_MAX + 1);
                chunked.send(`${head}Transfer-Encoding: chunked\r\n\r\n`);
                for (let at = 0; at < body.length; at += 65_536) {
                    const part = body.slice(at, at + 65_536);
                    chunked.send(`${part.length.toString(16)}\r\n${part}\r\n`);
                }
                assert.deepEqual((await chunked.answers(1)).map(({ status }) => status), [413]);
                chunked.destroy();
                const values = await admin.post(path, withFree(path, `{"a":[${'1,'.repeat(400_000)}1]}`));
                assertProblem(values, 413, 'as many values as no record has');
            });
        }
    });

    test('a body says what it is', async () => {
        await writesNothing(async () => {
            for (const [path, { body }] of Object.entries(right)) {
                for (const type of [
                    'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', '',
                    'application/json; charset=iso-8859-1', 'text/json', 'application', 'application/xml',
                ]) {
                    assertProblem(await admin.post(path, JSON.stringify(body), { headers: { 'content-type': type } }), 415, type);
                }
            }
        });
        for (const type of ['application/json', 'Application/JSON; Charset=UTF-8', 'application/json;charset="utf-8"', 'application/vnd.acme+json']) {
            const made = await admin.post('/customers', JSON.stringify(right['/customers']!.body), { headers: { 'content-type': type } });
            assert.equal(made.status, 201, `${type}: ${made.text}`);
        }
    });

    test('every fault is told, of many fields and of the query, too', async () => {
        await writesNothing(async () => {
            const many = await admin.post('/customers?dry_run=1', {
                nam: 'x', name: ' ', email: 'x', emails: [{ address: 'a@b.example' }, { adress: 'c@d.example' }, 'e'], phone: '12', timezone: 'Nowhere',
                tags: ['ok', '', 7], owner_id: 5, version: 2, created_at: null, consent: { email: 'yes', letter: 'denied' },
            });
            assertProblem(many, 422, 'many');
            assert.deepEqual(faults(many.body), [
                'consent.email not_one_of', 'consent.letter unknown_field', 'created_at read_only', 'dry_run unknown_field',
                'email bad_format', 'emails[1].address required', 'emails[1].adress unknown_field', 'emails[2] wrong_type',
                'nam unknown_field', 'owner_id wrong_type', 'phone bad_format', 'tags[1] too_short', 'tags[2] wrong_type',
                'timezone bad_format', 'version read_only',
            ].sort());
            for (const fault of many.body.errors) assert.ok(fault.message.length > 0, fault.field);
            const flood = await admin.post('/customers', Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, i])));
            assertProblem(flood, 422, 'flood');
            assert.deepEqual([flood.body.errors.length, flood.body.errors_total], [64, 501]);
        });
    });

    test('a misspelt field is asked about', async () => {
        await writesNothing(async () => {
            for (const [path, name, meant] of [
                ['/interactions', 'subjekt', 'subject'], ['/interactions', 'startedat', 'started_at'], ['/interactions', 'Type', 'type'],
                ['/interactions', 'customerid', 'customer_id'], ['/interactions', 'followup_date', 'follow_up_date'],
                ['/customers', 'nme', 'name'], ['/customers', 'e-mail', 'email'], ['/customers', 'custom_field', 'custom_fields'],
                ['/customers', 'favourite_colour', null], ['/interactions', '', null], ['/interactions', '\u202eevil\u0007', null],
                ['/customers', 'x'.repeat(10_000), null],
            ] as const) {
                const answer = await admin.post(path, { ...right[path]!.body, [name]: 1 });
                assertProblem(answer, 422, name);
                assert.deepEqual(answer.body.errors.map((fault: Json) => fault.code), ['unknown_field']);
                const { message, field } = answer.body.errors[0];
                assert.equal(/did you mean (\w+)\?/.exec(message)?.[1] ?? null, meant, message);
                assert.ok(field.length <= 64 && name.startsWith(field.replaceAll('?', '').slice(0, 3)));
                assert.equal(/[\u0000-\u001f]/.test(field), false);
            }
        });
    });

    test('a value of the wrong type is told for every field', async () => {
        const values: [string, Json][] = [
            ['string', 'x'], ['integer', 5], ['number', 1.5], ['boolean', true], ['object', { a: 1 }], ['array', []], ['null', null],
        ];
        const document = (await admin.openapi()).document as Json;
        const resolve = (schema: Json): Json =>
            schema.$ref === undefined ? schema : schema.$ref.slice(2).split('/').reduce((at: Json, key: string) => at[key], document);
        let tried = 0;
        await writesNothing(async () => {
            for (const [path, { body }] of Object.entries(right)) {
                const content = document.paths[`/api/v1${path}`].post.requestBody.content['application/json'];
                const { properties } = resolve(content.schema);
                assert.ok(Object.keys(properties).length > 10);
                for (const [name, property] of Object.entries<Json>(properties)) {
                    const schema = resolve(property);
                    const declared = schema.type ?? schema.allOf?.[0]?.type ?? [];
                    const types: string[] = Array.isArray(declared) ? declared : [declared];
                    for (const [type, value] of values) {
                        if (types.includes(type) || (type === 'integer' && types.includes('number'))) continue;
                        const answer = await admin.post(path, { ...body, [name]: value });
                        assertProblem(answer, 422, `${path} ${name}: ${type}`);
                        const code = type === 'null' ? 'not_nullable' : 'wrong_type';
                        const expected = schema.allOf?.[0]?.not || name === 'duration_seconds' ? /read_only|not_nullable/ : new RegExp(`^${code}$`);
                        assert.equal(answer.body.errors.length, 1, `${path} ${name}: ${answer.text}`);
                        assert.equal(answer.body.errors[0].field, name);
                        assert.match(answer.body.errors[0].code, expected, `${path} ${name}: ${type}`);
                        tried += 1;
                    }
                }
                for (const [, value] of values.filter(([type]) => type !== 'object')) {
                    const answer = await admin.post(path, JSON.stringify(value));
                    assertProblem(answer, 422, `${path}: ${JSON.stringify(value)}`);
                    assert.deepEqual(faults(answer.body), [' wrong_type']);
                }
            }
        });
        assert.ok(tried > 150, String(tried));
    });

    test('values at and past their edges', async () => {
        const at = (fields: Json) => ({ ...right['/interactions']!.body, ...fields });
        await writesNothing(async () => {
            for (const [fields, fault] of [
                [{ started_at: '2025-12-28T10:30:00' }, 'started_at bad_format'],
                [{ started_at: '2025-02-29T10:30:00Z' }, 'started_at bad_format'],
                [{ started_at: '2025-12-28T24:00:00Z' }, 'started_at bad_format'],
                [{ started_at: '2025-12-28T10:30:00+24:00' }, 'started_at bad_format'],
                [{ started_at: '99999-01-01T00:00:00Z' }, 'started_at bad_format'],
                [{ started_at: '2025-12-28' }, 'started_at bad_format'],
                [{ customer_id: customer.id.slice(0, -1) }, 'customer_id bad_format'],
                [{ customer_id: `{${customer.id}}` }, 'customer_id bad_format'],
                [{ subject: '' }, 'subject too_short'],
                [{ subject: '\u{1f600}'.repeat(256) }, 'subject too_long'],
                [{ subject: 'a\u2028b' }, 'subject bad_format'],
                [{ subject: 'a\u0085b' }, 'subject bad_format'],
                [{ description: 'a\u0007b' }, 'description bad_format'],
                [{ metadata: { a: 'x'.repeat(65_536) } }, 'metadata too_long'],
                [{ chunk_number: 100_001 }, 'chunk_number too_large'],
            ] as const) {
                const answer = await admin.post('/interactions', at(fields));
                assertProblem(answer, 422, fault);
                assert.deepEqual(faults(answer.body), [fault], JSON.stringify(fields).slice(0, 100));
            }
        });
        for (const fields of [
            { started_at: '2024-02-29T23:59:59.999999+14:00' }, { started_at: '2025-12-28t10:30:00z' }, { subject: '\u{1f600}'.repeat(255) },
            { metadata: { a: 'x'.repeat(65_536 - 8) } }, { description: "Robert'); DROP TABLE interactions;--" },
        ]) {
            const made = await admin.post('/interactions', at(fields));
            assert.equal(made.status, 201, made.text);
            if (!('started_at' in fields)) for (const [name, value] of Object.entries(fields)) assert.deepEqual(made.body[name], value);
        }
    });

    test('ids of another tenant are answered like unknown ones', async () => {
        const { key } = await site.site.createTenant('Strangers', 'admin@strangers.example');
        const stranger = site.server.client(key);
        const theirs: Json = { customer: (await stranger.post('/customers', { name: 'Theirs' })).body };
        theirs.company = (await stranger.post('/companies', { name: 'Theirs' })).body;
        theirs.user = await invite(stranger, 'agent');
        theirs.session = (await stranger.post('/sessions', { customer_id: theirs.customer.id })).body;
        const touch = { ...right['/interactions']!.body, customer_id: theirs.customer.id, total_chunks: 2 };
        theirs.interaction = (await stranger.post('/interactions', touch)).body;
        assert.notEqual(theirs.interaction.id, undefined);
        const requests: [string, (id: string) => Promise<Answer>][] = [];
        for (const [path, name, kind] of [
            ['/interactions', 'customer_id', 'customer'], ['/interactions', 'company_id', 'company'], ['/interactions', 'session_id', 'session'],
            ['/interactions', 'follow_up_assignee', 'user'], ['/interactions', 'attendees', 'user'], ['/interactions', 'parent_interaction_id', 'interaction'],
            ['/customers', 'company_id', 'company'], ['/customers', 'owner_id', 'user'],
        ] as const) {
            requests.push([kind, (id) => admin.post(path, {
                ...right[path]!.body, ...(name === 'parent_interaction_id' ? { chunk_number: 2, total_chunks: 2 } : {}),
                [name]: name === 'attendees' ? [id] : id,
            })]);
        }
        const call = right['/interactions']!.body;
        requests.push(
            ['customer', (id) => admin.get(`/customers/${id}`)],
            ['customer', (id) => admin.patch(`/customers/${id}`, { name: 'Mine now' }, { headers: { 'if-match': '"1"' } })],
            ['customer', (id) => admin.put(`/customers/${id}/tags/mine`)],
            ['customer', (id) => admin.post(`/customers/${id}/notes`, { text: 'mine' })],
            ['customer', (id) => admin.del(`/customers/${id}`)],
            ['customer', (id) => admin.post(`/customers/${id}/restore`)],
            ['customer', (id) => admin.get(`/interactions/customer/${id}`)],
            ['customer', (id) => admin.post('/interactions/bulk', [{ ...call, customer_id: id }])],
            ['user', (id) => admin.post(`/interactions/${interaction.id}/attendees`, { attendee_id: id })],
            ['user', (id) => admin.del(`/interactions/${interaction.id}/attendees/${id}`)],
            ['interaction', (id) => admin.get(`/interactions/${id}`)],
            ['interaction', (id) => admin.patch(`/interactions/${id}`, { subject: 'Mine' }, { headers: { 'if-match': '"9"' } })],
            ['interaction', (id) => admin.put(`/interactions/${id}/end`, {})],
            ['interaction', (id) => admin.put(`/interactions/${id}/outcome`, { outcome: 'busy' })],
            ['interaction', (id) => admin.post(`/interactions/${id}/attendees`, { attendee_id: site.tenant.user.id })],
            ['interaction', (id) => admin.del(`/interactions/${id}`)],
            ['interaction', (id) => admin.post(`/interactions/${id}/restore`)],
        );
        await writesNothing(async () => {
            for (const [kind, send] of requests) {
                const foreign = await send(theirs[kind].id);
                const none = await send(unknown);
                const place = `${kind}: ${foreign.text}`;
                assert.equal(foreign.status === 404 || foreign.body.rows?.[0].status === 404, true, place);
                const plain = ({ status, headers, text }: Answer) => [
                    status, Object.keys(headers).sort(), text.replace(/"request_id":"[^"]*"/, ''),
                ];
                assert.deepEqual(plain(foreign), plain(none), place);
            }
        });
        assert.deepEqual((await stranger.get(`/interactions/${theirs.interaction.id}`)).body, theirs.interaction);
        assert.equal((await stranger.get(`/customers/${theirs.customer.id}`)).body.version, 1);
    });
});
