#!/usr/bin/env python3
"""A "Blender" that a hostile scene has taken over completely: it speaks the worker's protocol and does what HOSTILE_DEED of its environment says."""
import json
import os
import struct
import sys
import threading
import zlib

DEED, SECRET = os.environ.get('HOSTILE_DEED', ''), os.environ.get('HOSTILE_SECRET', '')
if '--version' in sys.argv:
    print('Blender 3.4.1')
    sys.exit(0)


def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def png(width, height, size):
    """A good picture, `size` bytes long: as long as the secret, so that lengths tell nothing."""
    rows = zlib.compress(b''.join(b'\0' + b'\x80\x40\x20' * width for _ in range(height)))
    head = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) + chunk(b'IDAT', rows)
    end = chunk(b'IEND', b'')
    text = b'Comment\0' + b'x' * (size - len(head) - len(end) - 12 - 8)
    return head + chunk(b'tEXt', text) + end


def swap(path, data):
    """The good picture and a link to the secret take turns in the same place."""
    while True:
        for make in (lambda name: os.symlink(SECRET, name), lambda name: open(name, 'wb').write(data)):
            try:
                make(path + '.new')
                os.replace(path + '.new', path)
            except OSError:
                pass


def swap_folder(path, data):
    """The folder of the picture is replaced by a link to the secret's, in which a file of the same name lies."""
    folder = os.path.dirname(path)
    open(path, 'wb').write(data)
    while True:
        try:
            os.rename(folder, folder + '.mine')
            os.symlink(os.path.dirname(SECRET), folder)
            os.unlink(folder)
            os.rename(folder + '.mine', folder)
        except OSError:
            pass


replies = os.fdopen(int(sys.argv[sys.argv.index('--') + 1]), 'w', buffering=1)
replies.write(json.dumps({'id': 0, 'ok': True, 'blender': '3.4.1'}) + '\n')
for line in sys.stdin:
    request = json.loads(line)
    if request['op'] == 'render':
        out = request['out']
        data = png(request['width'], request['height'], 4000)
        if DEED == 'link':
            os.symlink(SECRET, out)
        elif DEED == 'pipe':
            os.mkfifo(out)
        elif DEED == 'folder':
            os.mkdir(out)
        elif DEED == 'swap':
            open(out, 'wb').write(data)
            threading.Thread(target=swap, args=(out, data), daemon=True).start()
        elif DEED == 'swap-folder':
            threading.Thread(target=swap_folder, args=(out, data), daemon=True).start()
        elif DEED == 'flood':
            open(out, 'wb').write(data)
            for _ in range(256):
                sys.stdout.write('x' * 2**20)  # a line that never ends
            sys.stdout.flush()
    replies.write(json.dumps({'id': request['id'], 'ok': True, 'rssMiB': 1, 'peakMiB': 1, 'wallMs': 1, 'cpuMs': 1}) + '\n')
