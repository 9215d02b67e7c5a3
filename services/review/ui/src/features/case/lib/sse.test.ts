import { expect, test } from 'vitest';

import { parseBlock, readEvents, type ServerEvent } from '@/features/case/lib/sse';

function streamOf(chunks: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(encoder.encode(chunk));
      controller.close();
    },
  });
}

async function eventsOf(chunks: string[]): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of readEvents(streamOf(chunks))) found.push(event);
  return found;
}

test('an event split over chunks is read whole', async () => {
  expect(await eventsOf(['event: sta', 'ge\ndata: {"stage":', '"fuse"}\n', '\n'])).toEqual([{ event: 'stage', data: { stage: 'fuse' } }]);
});

test('comments that keep the connection alive are no events', async () => {
  expect(await eventsOf([': still here\n\n', 'data: 1\n\n'])).toEqual([{ event: 'message', data: 1 }]);
});

test('an event that the end of the stream cuts off is not delivered', async () => {
  expect(await eventsOf(['data: 1\n\ndata: 2'])).toEqual([{ event: 'message', data: 1 }]);
});

test('several data lines are joined by a line feed', () => {
  expect(parseBlock('data: [1,\ndata: 2]')).toEqual({ event: 'message', data: [1, 2] });
});

test('data that is not JSON becomes null', () => {
  expect(parseBlock('data: hello')).toEqual({ event: 'message', data: null });
});
