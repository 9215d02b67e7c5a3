import { expect, test } from 'vitest';

import { sameOrigin } from '@/lib/http';

test.each([
  ['/diagnoses/1/heatmaps/2', '/diagnoses/1/heatmaps/2'],
  ['https://elsewhere.example/steal?x=1', '/steal?x=1'],
  ['//elsewhere.example/steal', '/steal'],
])('the token goes to this origin only: %s', (url, path) => {
  expect(sameOrigin(url)).toBe(path);
});
