#!/usr/bin/python3
"""A mail server for tests that does what it is told.

Usage: smtp_server.py DIRECTORY [MODE]

Writes its port to DIRECTORY/port. What the local part of a recipient says is what happens to an
e-mail to it, words separated by dots: rcpt550 or data452 answers with that status (421 closes the
connection, too), drop closes in the middle of DATA, deaf takes the e-mail and closes without an
answer, bye takes it and closes, tired says 421 before that, silent never answers to RCPT, slow takes
a second for DATA; once does it the first time only. MODE is what it does to everybody: pipelining
takes commands in one go, chunking BDAT, too, busy greets with 421, mute not at all, closed hangs up, login answers 535 to AUTH, small promises SIZE 100 and size lies about it: it promises 10 MB and
refuses what has more than 100 bytes with 552.

DIRECTORY/log gets a line of JSON per command of interest; each e-mail taken is in DIRECTORY/N.eml,
N.json has its envelope.
"""
import asyncio
import json
import os
import re
import sys
import time

directory, mode = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ''
log = open(os.path.join(directory, 'log'), 'a', buffering=1)
seen = set()
taken = 0


def note(**what):
    log.write(json.dumps(dict(what, at=time.time())) + '\n')


def wishes(address):
    """What is to happen to an e-mail to this address, this time"""
    words = address.split('@')[0].split('.')
    if 'once' in words:
        if address in seen:
            return []
        seen.add(address)
    return words


def status_of(words, command):
    for word in words:
        found = re.fullmatch(command + r'(\d{3})', word)
        if found:
            return int(found.group(1))
    return 0


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.sender, self.recipient, self.words = None, None, []

    def say(self, text):
        self.writer.write(text.encode() + b'\r\n')

    async def run(self):
        note(event='connect')
        if mode == 'mute':
            await asyncio.sleep(3600)
        if mode == 'closed':
            return
        if mode == 'busy':
            return self.say('421 4.3.2 too busy')
        self.say('220 test ESMTP')
        while True:
            line = (await self.reader.readline()).decode(errors='replace')
            if not line:
                return
            verb = line[:4].strip().upper()
            if await getattr(self, 'do_' + verb.lower(), self.do_other)(line.strip()) == 'close':
                return

    async def do_ehlo(self, _):
        size = 100 if mode == 'small' else 10000000
        more = {'pipelining': '250-PIPELINING\r\n', 'chunking': '250-PIPELINING\r\n250-CHUNKING\r\n'}.get(mode, '')
        self.say('250-test\r\n250-SIZE %d\r\n%s250-SMTPUTF8\r\n250-8BITMIME\r\n250 AUTH PLAIN' % (size, more))

    async def do_auth(self, line):
        if line.upper() == 'AUTH PLAIN':
            self.say('334 ')
            await self.reader.readline()
        self.say('535 5.7.8 wrong' if mode == 'login' else '235 2.7.0 welcome')

    async def do_mail(self, line):
        note(event='mail', line=line, followed=bool(re.search(rb'^(DATA|BDAT \d+ LAST)\r$', self.reader._buffer, re.M)))
        self.sender = re.search(r'<(.*?)>', line).group(1)
        self.say('250 2.1.0 ok')

    async def do_rcpt(self, line):
        self.recipient = re.search(r'<(.*?)>', line).group(1)
        self.words = wishes(self.recipient)
        status = status_of(self.words, 'rcpt')
        note(event='rcpt', recipient=self.recipient)
        if 'silent' in self.words:
            await asyncio.sleep(3600)
        self.say('%d %d.1.1 as you wish' % (status, status // 100) if status else '250 2.1.5 ok')
        return 'close' if status == 421 else None

    async def do_data(self, _):
        note(event='data', recipient=self.recipient)
        self.say('354 go on')
        if 'drop' in self.words:
            await self.reader.read(20)
            note(event='dropped', recipient=self.recipient)
            self.writer.transport.abort()
            return 'close'
        content = (await self.reader.readuntil(b'\r\n.\r\n'))[:-3]
        return await self.answer_content(re.sub(rb'(^|\r\n)\.\.', rb'\1.', content))

    async def do_bdat(self, line):
        note(event='bdat', recipient=self.recipient)
        if 'drop' in self.words:
            self.writer.transport.abort()
            return 'close'
        return await self.answer_content(await self.reader.readexactly(int(line.split()[1])))

    async def answer_content(self, content):
        if 'slow' in self.words:
            await asyncio.sleep(1)
        note(event='end', recipient=self.recipient)
        status = status_of(self.words, 'data')
        if mode == 'size' and len(content) > 100:
            status = 552
        if status:
            self.say('%d %d.3.0 as you wish' % (status, status // 100))
        else:
            self.take(content)
            if 'deaf' in self.words:
                return 'close'
            self.say('250 2.0.0 taken as %d' % taken)
            if 'tired' in self.words:
                self.say('421 4.4.2 it is late')
        return 'close' if status == 421 or 'bye' in self.words or 'tired' in self.words else None

    def take(self, content):
        global taken
        taken += 1
        with open(os.path.join(directory, '%d.eml' % taken), 'wb') as file:
            file.write(content)
        with open(os.path.join(directory, '%d.json' % taken), 'w') as file:
            json.dump({'from': self.sender, 'to': self.recipient}, file)
        note(event='taken', recipient=self.recipient, number=taken)

    async def do_rset(self, _):
        self.say('250 2.0.0 ok')

    async def do_noop(self, _):
        self.say('250 2.0.0 ok')

    async def do_quit(self, _):
        note(event='quit')
        self.say('221 2.0.0 bye')
        return 'close'

    async def do_other(self, line):
        self.say('500 5.5.1 what?')


async def serve(reader, writer):
    try:
        await Session(reader, writer).run()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, '127.0.0.1', 0, limit=1 << 26)
    with open(os.path.join(directory, 'port.new'), 'w') as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(os.path.join(directory, 'port.new'), os.path.join(directory, 'port'))
    await server.serve_forever()


asyncio.run(main())
