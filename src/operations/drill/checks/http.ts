import type { HttpBody, HttpCapture, HttpCheck, HttpExpectation, HttpStep, JsonPath } from '../../../config/system.ts';
import { meets } from '../../../core/condition.ts';
import { match } from '../../../core/pattern.ts';
import { countOf } from '../../../core/size.ts';
import type { HttpAnswer } from '../../../sandbox/protocol.ts';
import { expandNoting } from '../application.ts';
import type { Drill, Finding } from '../parts.ts';

/** What one check carries from request to request. */
interface Session {
  readonly origin: string;
  readonly cookies: Map<string, string>;
  readonly variables: Record<string, string>;
  readonly drill: Drill;
  readonly signal: AbortSignal;
  readonly deadline: number;
}

const maxRedirects = 10;

/** Requests in order, as a user makes them: with cookies, and with what earlier answers held. The first that fails ends it. */
export async function checkHttp(check: HttpCheck, drill: Drill, signal: AbortSignal): Promise<Finding> {
  const origin = drill.application?.origin;
  if (origin === undefined) throw new Error('the application was not started');
  const deadline = performance.now() + check.timeoutMs;
  const variables = { ...drill.variables };
  const session: Session = { origin, cookies: new Map(), variables, drill, signal, deadline };
  const expected = `${countOf(check.steps.length, 'request')} answered as expected`;
  let looked = 0;
  for (const [at, step] of check.steps.entries()) {
    const label = `Request ${at + 1}, ${step.method} ${step.path.shown}`;
    const answer = await send(step, session);
    if ('failed' in answer) {
      return {
        verdict: 'fail',
        looked,
        expected,
        actual: answer.failed,
        message: `${label}, got no answer: ${answer.failed}.`,
      };
    }
    looked++;
    const trouble = (await differenceOf(step.expect, answer, session)) ?? captureAll(step, answer, session);
    if (trouble === undefined) continue;
    return { verdict: 'fail', looked, expected, actual: trouble, message: `${label}: ${trouble}.` };
  }
  const actual = `${looked} answered`;
  return { verdict: 'pass', looked, expected, actual, message: `${countOf(looked, 'request')} answered as expected.` };
}

async function send(step: HttpStep, session: Session): Promise<HttpAnswer | { readonly failed: string }> {
  let url = new URL(await expand(step.path, session), session.origin);
  let { method } = step;
  let content = step.body === undefined ? undefined : await bodyOf(step.body, session);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(step.headers)) headers[name] = await expand(value, session);
  for (let hop = 0; ; hop++) {
    if (url.origin !== session.origin) return { failed: `it leads to ${url.origin}, outside the application` };
    const answer = await request(
      method,
      url,
      { ...(content === undefined ? {} : { 'content-type': content.type }), ...headers },
      content?.bytes,
      session,
    );
    if ('failed' in answer) return answer;
    keepCookies(answer, session.cookies);
    const location = headerOf(answer, 'location');
    if (!step.followRedirects || answer.status < 300 || answer.status > 399 || location === undefined) return answer;
    if (hop === maxRedirects) return { failed: `it was sent on more than ${maxRedirects} times` };
    url = new URL(location, url);
    if (answer.status !== 307 && answer.status !== 308 && method !== 'HEAD') {
      method = 'GET';
      content = undefined;
    }
  }
}

async function request(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: Buffer | undefined,
  session: Session,
) {
  const timeoutMs = Math.ceil(session.deadline - performance.now());
  if (timeoutMs <= 0) return { failed: "the check's time is over" };
  const cookie = [...session.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const order = {
    method,
    url: url.href,
    headers: {
      ...(cookie === '' ? {} : { cookie }),
      ...headers,
      ...(body && { 'content-length': String(body.length) }),
    },
    ...(body && { body: body.toString('base64') }),
    timeoutMs,
  };
  const agent = await session.drill.sandbox.application([]);
  return agent.call('http', order, { signal: session.signal, timeoutMs: timeoutMs + 10_000 });
}

async function bodyOf(body: HttpBody, session: Session): Promise<{ bytes: Buffer; type: string }> {
  if (body.kind === 'form') {
    const fields = new URLSearchParams();
    for (const [name, value] of Object.entries(body.fields)) fields.set(name, await expand(value, session));
    return { bytes: Buffer.from(fields.toString()), type: 'application/x-www-form-urlencoded' };
  }
  const type = body.kind === 'json' ? 'application/json' : 'text/plain; charset=utf-8';
  return { bytes: Buffer.from(await expand(body.text, session)), type };
}

/** What of the answer is not as expected; undefined when all is. */
async function differenceOf(
  expect: HttpExpectation,
  answer: HttpAnswer,
  session: Session,
): Promise<string | undefined> {
  const { status } = answer;
  const fits = expect.status.length === 0 ? status >= 200 && status <= 299 : expect.status.includes(status);
  if (!fits) return `status ${status} instead of ${expect.status.join(' or ') || '200–299'}`;
  const type = headerOf(answer, 'content-type')?.split(';')[0]?.trim().toLowerCase();
  if (expect.contentType !== undefined && type !== expect.contentType.toLowerCase()) {
    return `content type ${type ?? 'none'} instead of ${expect.contentType}`;
  }
  if (expect.minBytes !== undefined && answer.sizeBytes < expect.minBytes) {
    return `${answer.sizeBytes} bytes instead of at least ${expect.minBytes}`;
  }
  if (expect.sha256 !== undefined && (await expand(expect.sha256, session)).toLowerCase() !== answer.sha256) {
    return 'its body has another SHA-256 than expected';
  }
  const body = textOf(answer);
  for (const wanted of expect.contains) {
    if (!body.includes(await expand(wanted, session))) return `its body does not contain '${wanted.shown}'`;
  }
  if (expect.json.length === 0) return undefined;
  const document = parseJson(body);
  if (document === undefined) return 'its body is no JSON';
  for (const { path, expect: condition } of expect.json) {
    if (!meets(valueAt(document.value, path), condition)) return `${path.join('.')} does not meet '${condition.text}'`;
  }
  return undefined;
}

function captureAll(step: HttpStep, answer: HttpAnswer, session: Session): string | undefined {
  for (const [name, capture] of Object.entries(step.capture)) {
    const value = captured(capture, answer);
    if (value === undefined) return `nothing to capture for \${${name}}`;
    session.variables[name] = value;
  }
  return undefined;
}

function captured(capture: HttpCapture, answer: HttpAnswer): string | undefined {
  if (capture.from === 'header') return headerOf(answer, capture.name);
  if (capture.from === 'regex') {
    const found = match(capture.pattern, '', textOf(answer));
    return found?.[1] ?? found?.[0];
  }
  const value = valueAt(parseJson(textOf(answer))?.value, capture.path);
  if (value === undefined || value === null) return undefined;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Name and value; path and age do not matter between two requests of one check, but a removed cookie must go. */
function keepCookies(answer: HttpAnswer, cookies: Map<string, string>): void {
  for (const [header, value] of answer.headers) {
    if (header.toLowerCase() !== 'set-cookie') continue;
    const [pair = '', ...attributes] = value.split(';');
    const at = pair.indexOf('=');
    if (at < 1) continue;
    const name = pair.slice(0, at).trim();
    const removed = attributes.some((one) => /^\s*max-age\s*=\s*(0|-)/i.test(one) || isPast(one));
    if (removed) cookies.delete(name);
    else cookies.set(name, pair.slice(at + 1).trim());
  }
}

function isPast(attribute: string): boolean {
  const date = /^\s*expires\s*=\s*(.+)$/i.exec(attribute)?.[1];
  // Only the usual way to remove a cookie, a date at the beginning of 1970: the drill's clock may differ from the application's.
  return date !== undefined && Date.parse(date) < 86_400_000;
}

function headerOf(answer: HttpAnswer, name: string): string | undefined {
  return answer.headers.find(([header]) => header.toLowerCase() === name.toLowerCase())?.[1];
}

function textOf(answer: HttpAnswer): string {
  return Buffer.from(answer.body, 'base64').toString('utf8');
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function valueAt(value: unknown, path: JsonPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}

function expand(text: Parameters<typeof expandNoting>[0], session: Session): Promise<string> {
  return expandNoting(text, session.drill, session.variables);
}
