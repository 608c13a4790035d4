import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type HttpAnswer, type HttpOrder, httpBodyKeptBytes, httpBodyLimitBytes } from '../protocol.ts';

/** One request, no redirects followed, no connection kept. */
export function request(order: HttpOrder): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const secure = order.url.startsWith('https:');
    const options = { method: order.method, headers: order.headers, agent: false };
    // The restored application's certificate is for its public name, not for the loopback.
    const sent = secure
      ? httpsRequest(order.url, { ...options, rejectUnauthorized: false })
      : httpRequest(order.url, options);
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${order.timeoutMs} ms`)), order.timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    sent.once('error', fail);
    sent.once('response', (response) => {
      const hash = createHash('sha256');
      const kept: Buffer[] = [];
      let sizeBytes = 0;
      response.on('data', (chunk: Buffer) => {
        if (sizeBytes < httpBodyKeptBytes) kept.push(chunk);
        sizeBytes += chunk.length;
        hash.update(chunk);
        if (sizeBytes > httpBodyLimitBytes)
          sent.destroy(new Error(`the answer is longer than ${httpBodyLimitBytes} bytes`));
      });
      response.once('error', fail);
      response.once('aborted', () => fail(new Error('the answer broke off')));
      response.once('end', () => {
        clearTimeout(timer);
        const headers: [string, string][] = [];
        for (let at = 0; at + 1 < response.rawHeaders.length; at += 2) {
          headers.push([response.rawHeaders[at] ?? '', response.rawHeaders[at + 1] ?? '']);
        }
        const body = Buffer.concat(kept).subarray(0, httpBodyKeptBytes).toString('base64');
        resolve({ status: response.statusCode ?? 0, headers, body, sizeBytes, sha256: hash.digest('hex') });
      });
    });
    sent.end(order.body === undefined ? undefined : Buffer.from(order.body, 'base64'));
  });
}
