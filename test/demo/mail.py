#!/usr/bin/python3
"""Prints an e-mail as a person reads it: headers, text, and what is attached."""
import email
import email.policy
import sys

with open(sys.argv[1], 'rb') as file:
    mail = email.message_from_binary_file(file, policy=email.policy.default)
for name in ('From', 'To', 'Reply-To', 'Subject', 'Date', 'Message-ID'):
    if mail[name]:
        print('   %s: %s' % (name, mail[name]))
print()
for line in mail.get_body(('plain',)).get_content().splitlines():
    print('   ' + line)
for part in mail.walk():
    if not part.is_multipart():
        print('   [%s%s, %d bytes]' % (part.get_content_type(), ' ' + part.get_filename() if part.get_filename() else '', len(part.get_payload(decode=True))))
