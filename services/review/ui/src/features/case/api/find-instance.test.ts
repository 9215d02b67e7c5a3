import { expect, test } from 'vitest';

import { toInstance } from '@/features/case/api/find-instance';

test('an instance of the DICOM JSON model becomes the path of its rendering', () => {
  const attributes = {
    '0020000D': { vr: 'UI', Value: ['1.2'] },
    '0020000E': { vr: 'UI', Value: ['1.2.3'] },
    '00280010': { vr: 'US', Value: [2048] },
    '00280011': { vr: 'US', Value: [1800] },
  };
  expect(toInstance(attributes, '1.2.3.4')).toEqual({
    renderedPath: '/dicomweb/studies/1.2/series/1.2.3/instances/1.2.3.4/rendered?viewport=1536,1536',
    rows: 2048,
    columns: 1800,
  });
});

test('an instance without a study cannot be shown', () => {
  expect(toInstance({ '0020000E': { vr: 'UI', Value: ['1.2.3'] } }, '1.2.3.4')).toBeNull();
});
