import { useEffect, useState } from 'react';

import { request } from '@/lib/http';
import { type Resource, useResource } from '@/lib/use-resource';

/** An object URL of what a path answers with: images need the token too, which `<img src>` cannot send. */
export function useBlobUrl(path: string | null, accept: string): Resource<string> {
  const blob = useResource(path, async (signal) =>
    (await request(path ?? '', { headers: { Accept: accept }, signal })).blob(),
  );
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (blob.data === null) return;
    const made = URL.createObjectURL(blob.data);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob.data]);
  return { ...blob, data: url };
}
