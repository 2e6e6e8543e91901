// A timeline as CSV, JSON Lines and PDF (SPEC.md §5); the PDF is read back with poppler.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { faults, invite } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const unknown = '01890000-0000-7000-8000-000000000000';
const names = {
    latin: 'Zoë Ångström', cyrillic: 'Анна Каренина', greek: 'Αλέξανδρος Παπαδόπουλος', arabic: 'محمد الخوارزمي', hebrew: 'דוד בן גוריון',
    devanagari: 'राहुल शर्मा', thai: 'สมชาย ใจดี', chinese: '王小明', japanese: 'やまだ たろう カタカナ', korean: '김철수',
};

/** RFC 4180, as a reader would: rows of cells. */
function readCsv(text: string): string[][] {
    const rows: string[][] = [[]];
    const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
    for (let match = cell.exec(text); match !== null; match = cell.exec(text)) {
        rows.at(-1)!.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
        if (match[3] === '\r\n') rows.push([]);
        if (cell.lastIndex === text.length) break;
    }
    assert.equal(cell.lastIndex, text.length);
    return rows.slice(0, -1);
}

forEachStore((store) => {
    const site = useServer(store);

    const person = async (name: string): Promise<Json> => (await site.admin.post('/customers', { name })).body;
    const write = async (contact_id: string, fields: Json): Promise<Json> => {
        const answer = await site.admin.post('/contact-events', { contact_id, event_type: 'order_shipped', category: 'tracking', ...fields });
        assert.equal(answer.status, 201, answer.text);
        return answer.body;
    };
    /** The bytes: the kit's client reads text. */
    const raw = async (path: string, key = site.tenant.key): Promise<{ status: number; headers: Headers; bytes: Buffer }> => {
        const answer = await fetch(`${site.server.url}${path.startsWith('/api') ? '' : '/api/v1'}${path}`, { headers: { authorization: `Bearer ${key}` } });
        return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    const lines = (text: string): Json[] => text.split('\n').slice(0, -1).map((line) => JSON.parse(line));

    /** What poppler reads in a PDF. */
    const read = (bytes: Buffer): { text: string; fonts: string; pages: number } => {
        const dir = mkdtempSync(join(tmpdir(), 'tp-pdf-'));
        try {
            const file = join(dir, 'timeline.pdf');
            writeFileSync(file, bytes);
            const say = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] });
            return {
                text: say('pdftotext', '-enc', 'UTF-8', file, '-'),
                fonts: say('pdffonts', file),
                pages: Number(/^Pages:\s+(\d+)$/m.exec(say('pdfinfo', file))![1]),
            };
        } finally {
            rmSync(dir, { recursive: true });
        }
    };

    test('JSON Lines and CSV: all of a timeline, oldest first', async () => {
        const customer = await person('Zoë "O\'Brien"');
        const payload = '{ "kept":\r\n  [1.50, "a\\nb"],\n "é": null }';
        const body = `{"contact_id":"${customer.id}","event_type":"order_shipped","category":"tracking","title":"=1+1, \\"quoted\\"","description":"two\\nlines","payload":${payload}}`;
        const shipped = await site.admin.request('POST', '/contact-events', body, { headers: { 'content-type': 'application/json' } });
        assert.equal(shipped.status, 201, shipped.text);
        await write(customer.id, { title: 'Early', occurred_at: '2020-01-01T00:00:00Z', visible_to_client: true });
        await write(customer.id, { title: 'For the client alone', occurred_at: '2020-01-02T00:00:00Z', visible_to_agent: false, visible_to_client: true });
        const list = (await site.admin.get(`/contacts/${customer.id}/events`)).body.events.reverse();
        assert.deepEqual(list.map((one: Json) => one.title), ['Early', 'Contact created', '=1+1, "quoted"']);
        for (const mount of ['contacts', 'customers', 'leads']) {
            const told = await site.admin.get(`/${mount}/${customer.id}/events/export`);
            assert.equal(told.status, 200, told.text);
            assert.equal(told.headers['content-type'], 'application/jsonl');
            assert.equal(told.headers.link, undefined);
            assert.equal(told.headers['content-disposition'], 'attachment; filename="timeline-Zo____O_Brien_.jsonl"; filename*=UTF-8\'\'timeline-Zo%C3%AB%20%22O%27Brien%22.jsonl');
            assert.deepEqual(lines(told.text).map((one) => one.id), list.map((one: Json) => one.id));
            assert.deepEqual(lines(told.text)[2].payload, list[2].payload);
            assert.ok(told.text.includes(payload.replace(/[\r\n]/g, ' ')));
        }
        const csv = await site.admin.get(`/contacts/${customer.id}/events/export?format=csv`);
        assert.equal(csv.headers['content-type'], 'text/csv; charset=utf-8; header=present');
        const [head, ...rows] = readCsv(csv.text);
        const column = (name: string): string[] => rows.map((row) => row[head!.indexOf(name)]!);
        assert.deepEqual(column('id'), list.map((one: Json) => one.id));
        assert.deepEqual(column('title'), ['Early', 'Contact created', '\'=1+1, "quoted"']); // no formula
        assert.deepEqual([column('description')[2], column('payload')[2]], ['two\nlines', payload]);

        const of = async (query: string): Promise<string[]> => lines((await site.admin.get(`/contacts/${customer.id}/events/export?${query}`)).text).map((one) => one.title);
        assert.deepEqual(await of('view=client'), ['Early', 'For the client alone']);
        assert.deepEqual(await of('to=2020-01-01T00:00:00Z'), []);
        assert.deepEqual(await of('from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:00.000001Z'), ['Early']);
        assert.deepEqual(await of('from=2020-01-01T00:00:00.000001Z'), ['Contact created', '=1+1, "quoted"']);
    });

    test('a contact\'s own app has its own, as the client sees it', async () => {
        const [anna, bert] = [await person('Anna'), await person('Bert')];
        await write(anna.id, { title: 'For Anna', visible_to_client: true });
        await write(anna.id, { title: 'About Anna' });
        const token = await site.admin.post(`/customers/${anna.id}/tokens`, {});
        assert.equal(token.status, 201, token.text);
        const app = site.admin.withKey(token.body.token);
        for (const view of ['', '?view=agent', '?view=client']) {
            const told = await app.get(`/contacts/${anna.id}/events/export${view}`);
            assert.deepEqual(lines(told.text).map((one) => one.title), ['For Anna'], told.text);
        }
        assert.equal((await app.get(`/contacts/${bert.id}/events/export`)).status, 404);
        const pdf = read((await raw(`/contacts/${anna.id}/events/export?format=pdf`, token.body.token)).bytes);
        assert.match(pdf.text, /For Anna/);
        assert.doesNotMatch(pdf.text, /About Anna/);
    });

    test('what is refused', async () => {
        const customer = await person('Refused');
        const at = `/contacts/${customer.id}/events/export`;
        assert.deepEqual(faults((await site.admin.get(`${at}?format=xml&view=all&from=now&page=2`)).body),
            ['format not_one_of', 'from bad_format', 'page unknown_field', 'view not_one_of']);
        assert.deepEqual(faults((await site.admin.get(`${at}?cursor=abc`)).body), ['cursor bad_format']);
        const { next_cursor } = (await site.admin.get('/customers?limit=1')).body;
        assert.deepEqual(faults((await site.admin.get(`${at}?cursor=${next_cursor}`)).body), ['cursor bad_format']);
        for (const id of [unknown, 'x']) assert.equal((await site.admin.get(`/contacts/${id}/events/export`)).status, 404);
        assert.equal((await site.anonymous.get(at)).status, 401);
    });

    test('a PDF, in any script', async () => {
        const title = 'Ὀδυσσεύς';
        for (const [script, name] of Object.entries(names)) {
            const customer = await person(name);
            await write(customer.id, { title: `${name}`, description: `${script}: ${name}, ${title}` });
            const answer = await raw(`/contacts/${customer.id}/events/export?format=pdf`);
            assert.deepEqual([answer.status, answer.headers.get('content-type'), answer.headers.get('link')], [200, 'application/pdf', null]);
            assert.match(answer.headers.get('content-disposition')!, /^attachment; filename="timeline-[A-Za-z0-9_-]+\.pdf"; filename\*=UTF-8''timeline-[A-Za-z0-9%-]+\.pdf$/);
            const { text, fonts, pages } = read(answer.bytes);
            const bare = (of: string): string => of.normalize('NFKC').replace(/[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
            // thrice: on top, as the title, and in the description
            const there = bare(text).split(bare(name)).length - 1;
            assert.equal(there, 3, `${script}: ${text}`);
            assert.equal(pages, 1);
            // every font is in it, with a way back to the text
            for (const font of fonts.split('\n').slice(2, -1)) assert.match(font, / yes\s+yes\s+(yes|no)\s+\d+\s+\d+$/, font);
            assert.doesNotMatch(text, /\ufffd/);
        }
    });

    test('times are those of the reader\'s zone', async () => {
        const customer = await person('Zones');
        await write(customer.id, { title: 'In winter', occurred_at: '2026-01-05T23:30:00Z' });
        const user = await invite(site.admin, 'viewer', { timezone: 'Asia/Kolkata' });
        const key = (await site.admin.post('/keys', { user_id: user.id, name: 'zone' })).body.key;
        const { text: broken } = read((await raw(`/contacts/${customer.id}/events/export?format=pdf&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z`, key)).bytes);
        const text = broken.replace(/\s+/g, ' ').replace('Asia/ ', 'Asia/');
        assert.match(text, /2026-01-06 05:00:00 · order_shipped · admin@acme\.example/);
        assert.match(text, /2026-01-01 05:30:00 – 2026-02-01 05:30:00 · .* · Asia\/Kolkata/);
    });

    test('nothing, and much of one', async () => {
        const customer = await person('Lengthy');
        const none = read((await raw(`/contacts/${customer.id}/events/export?format=pdf&to=2001-01-01T00:00:00Z`)).bytes);
        assert.equal(none.pages, 1);
        assert.match(none.text, /Lengthy/);
        assert.equal((await site.admin.get(`/contacts/${customer.id}/events/export?to=2001-01-01T00:00:00Z`)).text, '');
        assert.equal(readCsv((await site.admin.get(`/contacts/${customer.id}/events/export?format=csv&to=2001-01-01T00:00:00Z`)).text).length, 1);

        const words = Array.from({ length: 1000 }, (_, i) => `word${String(i).padStart(5, '0')}`).join(' ').slice(0, 10_000);
        await write(customer.id, { title: 'Long', description: words });
        await write(customer.id, { title: 'Unbroken', description: 'Q'.repeat(10_000) });
        await write(customer.id, { title: 'Lines', description: 'line\n'.repeat(2000) });
        const { text, pages } = read((await raw(`/contacts/${customer.id}/events/export?format=pdf`)).bytes);
        assert.ok(pages > 30, `${pages}`);
        const found = text.match(/word\d{5}/g)!;
        assert.deepEqual(found, words.match(/word\d{5}/g));
        assert.equal(text.match(/^\f?line$/gm)!.length, 2000);
        assert.equal(text.replace(/[^Q]/g, '').length, 10_000);
        for (let page = 1; page <= pages; page++) assert.ok(text.split('\f')[page - 1]!.trimEnd().endsWith(`${page}`), `page ${page}`);
    });

    test('more than one answer holds', async () => {
        const customer = await person('Many');
        for (let batch = 0; batch < 10; batch++) {
            const rows = Array.from({ length: 1000 }, (_, i) => ({ contact_id: customer.id, event_type: 'ping', category: 'tracking', title: `Ping ${batch * 1000 + i}`, occurred_at: new Date(Date.UTC(2020, 0, 1) + (batch * 1000 + i) * 1000).toISOString() }));
            const answer = await site.admin.post('/contact-events/bulk', rows);
            assert.equal(answer.body.succeeded, 1000, answer.text.slice(0, 500));
        }
        const next = (link: string | null | undefined): string => /^<([^>]*)>; rel="next"$/.exec(link ?? '')![1]!.replace('/api/v1', '');
        for (const format of ['jsonl', 'csv']) {
            const titles: string[] = [];
            const parts: number[] = [];
            let path: string | null = `/customers/${customer.id}/events/export?format=${format}`;
            while (path !== null) {
                const part = await site.admin.get(path);
                assert.equal(part.status, 200, part.text.slice(0, 500));
                const here: string[] = format === 'csv' ? readCsv(part.text).slice(1).map((row) => row[readCsv(part.text.slice(0, part.text.indexOf('\r\n') + 2))[0]!.indexOf('title')]!) : lines(part.text).map((one) => one.title);
                parts.push(here.length);
                titles.push(...here);
                path = part.headers.link === undefined ? null : next(part.headers.link as string);
            }
            assert.deepEqual(parts, [10_000, 1]);
            assert.deepEqual(titles, [...Array.from({ length: 10_000 }, (_, i) => `Ping ${i}`), 'Contact created']);
        }
        const pdf = await raw(`/customers/${customer.id}/events/export?format=pdf`);
        assert.equal(pdf.status, 200);
        const first = read(pdf.bytes);
        assert.ok(first.pages <= 502, `${first.pages}`);
        const shown = first.text.match(/^\f?Ping \d+$/gm)!.length;
        const rest = await raw(next(pdf.headers.get('link')));
        assert.equal(rest.headers.get('link'), null);
        assert.equal(shown + (read(rest.bytes).text.match(/^\f?(Ping \d+|Contact created)$/gm) ?? []).length, 10_001);

        const file = join(site.site.dataDir, 'timeline.out');
        for (const format of ['jsonl', 'csv']) {
            const run = await site.site.command('export', 'timeline', customer.id, '--format', format, '--out', file);
            assert.equal(run.code, 0, run.stderr);
            const text = readFileSync(file, 'utf8');
            const whole = format === 'csv' ? readCsv(text).slice(1).map((row) => row[0]!) : lines(text).map((one) => one.id);
            assert.equal(new Set(whole).size, 10_001);
            assert.equal(whole.length, 10_001);
        }
    });

    test('the command', async () => {
        const customer = await person('Commanded');
        const file = join(site.site.dataDir, 'command.out');
        const run = await site.site.command('export', 'timeline', customer.id, '--format', 'pdf', '--out', file);
        assert.equal(run.code, 0, run.stderr);
        assert.match(read(readFileSync(file)).text, /Commanded/);
        const piped = await site.site.command('export', 'timeline', customer.id);
        assert.deepEqual([piped.code, lines(piped.stdout).map((one) => one.event_type)], [0, ['contact_created']]);
        assert.equal((await site.site.command('export', 'timeline', unknown, '--out', file)).code, 1);
        assert.equal((await site.site.command('export', 'timeline', customer.id, '--format', 'xml')).code, 1);
        assert.notEqual((await site.site.command('export', 'timeline')).code, 0);
        assert.match(read(readFileSync(file)).text, /Commanded/, 'a failure leaves the file that was there');
    });
});
