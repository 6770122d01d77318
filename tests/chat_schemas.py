"""Small databases of the iPhone's apps, as scripts."""

CHAT_STORAGE = """
create table ZWACHATSESSION (Z_PK integer primary key, ZCONTACTJID text, ZPARTNERNAME text, ZSESSIONTYPE integer);
create table ZWAGROUPMEMBER (Z_PK integer primary key, ZMEMBERJID text);
create table ZWAMEDIAITEM (Z_PK integer primary key, ZMEDIALOCALPATH text, ZFILESIZE integer);
create table ZWAMESSAGE (Z_PK integer primary key, ZCHATSESSION integer, ZGROUPMEMBER integer, ZMEDIAITEM integer, ZISFROMME integer,
  ZMESSAGEDATE timestamp, ZMESSAGETYPE integer, ZTEXT text, ZSTANZAID text, ZFROMJID text);
insert into ZWACHATSESSION values (1, '1@s.whatsapp.net', 'Ada', 0), (2, 'g@g.us', 'Family', 1);
insert into ZWAGROUPMEMBER values (1, '2@s.whatsapp.net');
insert into ZWAMEDIAITEM values (1, 'Media/1/a.jpg', 5);
insert into ZWAMESSAGE values
  (1, 1, null, null, 1, 705692800.5, 0, 'hello', 'S1', null),
  (2, 2, 1, 1, 0, 705692801.0, 1, null, 'S2', 'g@g.us'),
  (3, 2, 1, null, 0, 705692802.0, 14, null, 'S3', 'g@g.us');
"""

CHAT_DB = """
create table message (ROWID integer primary key, guid text unique, text text, attributedBody blob, handle_id integer, service text, date integer,
  date_edited integer, date_retracted integer, is_from_me integer, associated_message_guid text, associated_message_type integer, item_type integer);
create table chat (ROWID integer primary key, guid text, style integer, chat_identifier text, display_name text);
create table handle (ROWID integer primary key, id text);
create table chat_message_join (chat_id integer, message_id integer);
create table attachment (ROWID integer primary key, guid text, filename text, mime_type text, transfer_name text, total_bytes integer);
create table message_attachment_join (message_id integer, attachment_id integer);
insert into handle values (1, '+1732');
insert into chat values (1, 'iMessage;-;+1732', 45, '+1732', ''), (2, 'iMessage;+;chat9', 43, 'chat9', 'Tea');
insert into message values
  (1, 'G1', 'hello', null, 1, 'iMessage', 705692800000000000, 0, 0, 0, null, 0, 0),
  (2, 'G2', null, null, 0, 'iMessage', 705692801500000000, 705692900000000000, 0, 1, null, 0, 0),
  (3, 'G3', 'Loved "hello"', null, 1, 'iMessage', 705692802000000000, 0, 0, 0, 'p:0/G1', 2000, 0),
  (4, 'G4', null, null, 1, 'iMessage', 705692803000000000, 0, 705692804000000000, 0, null, 0, 0),
  (5, 'G5', '\ufffc', null, 1, 'iMessage', 705692805, 0, 0, 0, null, 0, 0);
insert into chat_message_join values (1, 1), (1, 2), (2, 2), (1, 3), (1, 4);
insert into attachment values (1, 'A1', '~/Library/Messages/Attachments/aa/a.jpg', 'image/jpeg', 'a.jpg', 5);
insert into message_attachment_join values (5, 1);
"""
