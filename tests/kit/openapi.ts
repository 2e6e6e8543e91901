// Holds every answer to /openapi.json, and notes which routes were answered well.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { outDir } from './places.ts';

interface Operation {
    responses: Record<string, { content?: Record<string, { schema?: unknown }> }>;
}

export interface Document {
    servers?: { url: string }[];
    paths: Record<string, Record<string, Operation>>;
}

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch']);

/** "GET /api/v1/users/{id}" for each operation. */
export function routesOf(document: Document): string[] {
    return Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.keys(operations)
            .filter((method) => METHODS.has(method))
            .map((method) => `${method.toUpperCase()} ${path}`),
    );
}

export class Contract {
    private readonly ajv: Ajv2020;
    private readonly validators = new Map<string, ValidateFunction>();
    private readonly patterns: { path: string; segments: string[]; literals: number }[];
    private readonly base: string;
    private readonly noted = new Set<string>();

    constructor(readonly document: Document) {
        this.ajv = new Ajv2020({ strict: false, allErrors: true });
        (addFormats as unknown as (ajv: Ajv2020) => void)(this.ajv);
        this.ajv.addSchema(document, 'openapi');
        this.base = (document.servers?.[0]?.url ?? '').replace(/\/$/, '').replace(/^https?:\/\/[^/]*/, '');
        this.patterns = Object.keys(document.paths)
            .map((path) => {
                const segments = path.split('/');
                return { path, segments, literals: segments.filter((s) => !s.startsWith('{')).length };
            })
            .sort((a, b) => b.literals - a.literals);
        writeFileSync(join(outDir, 'openapi.json'), JSON.stringify(document));
    }

    /** The path as the document spells it; null when it has none like that. */
    match(target: string): string | null {
        let path = target.replace(/[?#].*$/, '');
        if (this.base !== '' && path.startsWith(this.base + '/')) path = path.slice(this.base.length);
        const segments = path.split('/');
        const found = this.patterns.find(
            (pattern) =>
                pattern.segments.length === segments.length &&
                pattern.segments.every((s, i) => (s.startsWith('{') ? segments[i] !== '' : s === segments[i])),
        );
        return found?.path ?? null;
    }

    /** Throws when the answer is not what the document says of it. */
    check(method: string, target: string, status: number, contentType: string, body: unknown): void {
        const path = this.match(target);
        const operation = path === null ? undefined : this.document.paths[path]![method.toLowerCase()];
        const place = `${method} ${path ?? target} → ${status}`;
        if (path === null || operation === undefined) {
            const expected = path === null ? [400, 401, 403, 404] : [401, 403, 404, 405];
            if (method !== 'HEAD' && method !== 'OPTIONS' && !expected.includes(status)) {
                throw new Error(`${place}: /openapi.json does not know this route`);
            }
            return;
        }
        if (status < 400) this.note(`${method} ${path}`);

        const keys = [String(status), `${String(status)[0]}XX`, 'default'];
        const key = keys.find((candidate) => candidate in operation.responses);
        if (key === undefined) throw new Error(`${place}: /openapi.json does not document this status`);
        const response = this.resolve(operation.responses[key]!) as Operation['responses'][string];
        const pointer = this.pointerOf(operation.responses[key]!) ??
            `/paths/${escape(path)}/${method.toLowerCase()}/responses/${key}`;
        const media = contentType.replace(/\s*;.*$/, '').toLowerCase();
        if (response.content === undefined || Object.keys(response.content).length === 0) {
            if (body !== undefined) throw new Error(`${place}: a body that is not documented`);
            return;
        }
        const content = response.content[media];
        if (content === undefined) {
            throw new Error(`${place}: media type "${contentType}" is not documented`);
        }
        if (content.schema === undefined || !/[/+]json$/.test(media)) return;
        const schema = `openapi#${pointer}/content/${escape(media)}/schema`;
        let validate = this.validators.get(schema);
        if (validate === undefined) {
            validate = this.ajv.compile({ $ref: schema });
            this.validators.set(schema, validate);
        }
        if (!validate(body)) {
            const faults = (validate.errors ?? [])
                .slice(0, 10)
                .map((e) => `  ${e.instancePath || '(whole)'} ${e.message} ${JSON.stringify(e.params)}`);
            const shown = JSON.stringify(body, null, 2).slice(0, 2000);
            throw new Error(`${place}: not as /openapi.json has it\n${faults.join('\n')}\n${shown}`);
        }
    }

    private pointerOf(value: object): string | null {
        const ref = (value as { $ref?: unknown }).$ref;
        return typeof ref === 'string' && ref.startsWith('#') ? ref.slice(1) : null;
    }

    private resolve(value: object): unknown {
        const pointer = this.pointerOf(value);
        if (pointer === null) return value;
        return pointer
            .split('/')
            .slice(1)
            .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
            .reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], this.document);
    }

    private note(route: string): void {
        if (this.noted.has(route)) return;
        this.noted.add(route);
        appendFileSync(join(outDir, `coverage-${process.pid}.jsonl`), JSON.stringify(route) + '\n');
    }
}

/** A step of a JSON pointer, as it stands in a URI's fragment. */
function escape(step: string): string {
    return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}
