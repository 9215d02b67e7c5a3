import { expect, test } from 'vitest';

import { parseRoute } from '@/app/router';
import { caseHref } from '@/lib/routes';

test('a case link leads to its case, whatever characters its id has', () => {
  expect(parseRoute(caseHref('a/b c'))).toEqual({ page: 'case', id: 'a/b c' });
});

test('an unknown fragment leads to the work-list', () => {
  expect(parseRoute('#/nowhere')).toEqual({ page: 'worklist' });
});
