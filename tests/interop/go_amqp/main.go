// go-amqp by Azure for the interop matrix: client BEHAVIOUR --url URL …
//
// What each behaviour does is told in tests/interop/README.md. The exit status says whether all was
// as it must; why not is on standard error.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/go-amqp"
)

var options struct {
	url, address, user, passwordFile, mechanism, ca, cert, key string
	size                                                       int
}

// Every wait of a behaviour ends with this context.
var ctx context.Context

// failure is what a behaviour panics with when something is not as it must.
type failure struct{ text string }

func fail(format string, values ...any) { panic(failure{fmt.Sprintf(format, values...)}) }

func must[T any](value T, err error) T {
	if err != nil {
		fail("%v", err)
	}
	return value
}

func mustDo(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func same(got, wanted any, what string) {
	if !reflect.DeepEqual(got, wanted) {
		fail("%s: %.200v for %.200v", what, got, wanted)
	}
}

// pattern is the body of large messages: byte i is 7 i + i / 256.
func pattern(size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(7*i + i>>8)
	}
	return body
}

func dial() (*amqp.Conn, error) {
	settings := &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}
	if options.user != "" {
		password := must(os.ReadFile(options.passwordFile))
		settings.SASLType = amqp.SASLTypePlain(options.user, string(password))
	} else if options.mechanism == "EXTERNAL" {
		settings.SASLType = amqp.SASLTypeExternal("")
	}
	if options.ca != "" {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(must(os.ReadFile(options.ca)))
		settings.TLSConfig = &tls.Config{RootCAs: roots}
		if options.cert != "" {
			pair := must(tls.LoadX509KeyPair(options.cert, options.key))
			settings.TLSConfig.Certificates = []tls.Certificate{pair}
		}
	}
	return amqp.Dial(ctx, options.url, settings)
}

func session() (*amqp.Conn, *amqp.Session) {
	connection := must(dial())
	return connection, must(connection.NewSession(ctx, nil))
}

func receiver(session *amqp.Session, address string, credit int32) *amqp.Receiver {
	return must(session.NewReceiver(ctx, address, &amqp.ReceiverOptions{Credit: credit}))
}

func sender(session *amqp.Session, address string) *amqp.Sender {
	return must(session.NewSender(ctx, address, nil))
}

func text(body string) *amqp.Message { return &amqp.Message{Value: body} }

// receive takes the next message and accepts it.
func receive(from *amqp.Receiver) *amqp.Message {
	message := must(from.Receive(ctx, nil))
	mustDo(from.AcceptMessage(ctx, message))
	return message
}

// exchange sends messages from the connection to itself, as many at a time as there is credit.
func exchange(session *amqp.Session, address string, count int) {
	in, out := receiver(session, address, 100), sender(session, address)
	receipts := make(chan amqp.SendReceipt, count)
	failed := make(chan error, 1)
	go func() {
		defer close(receipts)
		for i := range count {
			receipt, err := out.SendWithReceipt(ctx, text(strconv.Itoa(i)), nil)
			if err != nil {
				failed <- err
				return
			}
			receipts <- receipt
		}
	}()
	for i := range count {
		same(receive(in).Value, strconv.Itoa(i), "body")
	}
	answered := 0
	for receipt := range receipts {
		state := must(receipt.Wait(ctx))
		same(state, &amqp.StateAccepted{}, "outcome")
		answered++
	}
	if len(failed) > 0 {
		fail("%v", <-failed)
	}
	same(answered, count, "outcomes")
}

// outcome sends one message, lets `settle` answer it and returns what the sender is told.
func outcome(settle func(*amqp.Receiver, *amqp.Message) error) amqp.DeliveryState {
	_, session := session()
	in, out := receiver(session, options.address, 10), sender(session, options.address)
	receipt := must(out.SendWithReceipt(ctx, text("one"), nil))
	mustDo(settle(in, must(in.Receive(ctx, nil))))
	return must(receipt.Wait(ctx))
}

func untilTold() {
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 16))
}

var behaviours = map[string]func(){
	"login": func() {
		_, session := session()
		exchange(session, options.address, 1)
	},
	"refused": func() {
		_, err := dial()
		if err == nil {
			fail("connected")
		}
		fmt.Println(err)
	},
	"presettled": presettled,
	"unsettled": func() {
		_, session := session()
		exchange(session, options.address, 10_000)
	},
	"accept": func() {
		state := outcome(func(in *amqp.Receiver, message *amqp.Message) error {
			return in.AcceptMessage(ctx, message)
		})
		same(state, &amqp.StateAccepted{}, "outcome")
	},
	"reject": func() {
		state := outcome(func(in *amqp.Receiver, message *amqp.Message) error {
			return in.RejectMessage(ctx, message,
				&amqp.Error{Condition: "interop:refused", Description: "not today"})
		})
		rejected, is := state.(*amqp.StateRejected)
		if !is || rejected.Error == nil {
			fail("outcome %v", state)
		}
		same(rejected.Error.Condition, amqp.ErrCond("interop:refused"), "condition")
		same(rejected.Error.Description, "not today", "description")
	},
	"release": func() {
		state := outcome(func(in *amqp.Receiver, message *amqp.Message) error {
			return in.ReleaseMessage(ctx, message)
		})
		same(state, &amqp.StateReleased{}, "outcome")
	},
	"modify": func() {
		state := outcome(func(in *amqp.Receiver, message *amqp.Message) error {
			return in.ModifyMessage(ctx, message, &amqp.ModifyMessageOptions{DeliveryFailed: true,
				UndeliverableHere: true, Annotations: amqp.Annotations{"x-opt-why": "later"}})
		})
		modified, is := state.(*amqp.StateModified)
		if !is || !modified.DeliveryFailed || !modified.UndeliverableHere {
			fail("outcome %v", state)
		}
		same(fmt.Sprint(modified.MessageAnnotations), "map[x-opt-why:later]", "annotations")
	},
	"request_reply": requestReply,
	"anonymous":     anonymous,
	"body":          body,
	"drain":         drain,
	"links":         links,
	"multicast":     multicast,
	"balanced":      balanced,
	"kinds":         kinds,
	"heartbeats": func() {
		connection, session := session()
		untilTold()
		mustDo(connection.Err())
		exchange(session, options.address, 1)
	},
	"closed": func() {
		connection, session := session()
		receiver(session, options.address, 1)
		fmt.Println("ready")
		<-connection.Done()
		fmt.Println(connection.Err())
	},
	"unavailable": unavailable,
	"too_large":   tooLarge,
}

func presettled() {
	_, session := session()
	settled := amqp.SenderSettleModeSettled
	in := must(session.NewReceiver(ctx, options.address,
		&amqp.ReceiverOptions{Credit: 100, RequestedSenderSettleMode: &settled}))
	out := must(session.NewSender(ctx, options.address,
		&amqp.SenderOptions{SettlementMode: &settled}))
	for i := range 100 {
		mustDo(out.Send(ctx, text(strconv.Itoa(i)), nil))
	}
	for i := range 100 {
		same(must(in.Receive(ctx, nil)).Value, strconv.Itoa(i), "body")
	}
}

func requestReply() {
	_, server := session()
	_, client := session()
	requests, answers := receiver(server, options.address, 10), sender(server, "")
	replies := must(client.NewReceiver(ctx, "",
		&amqp.ReceiverOptions{DynamicAddress: true, Credit: 10}))
	replyTo := replies.Address()
	if replyTo == "" {
		fail("no dynamic address")
	}
	out := sender(client, options.address)
	for i := range 10 {
		id := strconv.Itoa(i)
		done := must(out.SendWithReceipt(ctx, &amqp.Message{Value: "ask " + id,
			Properties: &amqp.MessageProperties{ReplyTo: &replyTo, CorrelationID: id}}, nil))
		request := receive(requests)
		must(done.Wait(ctx))
		answer := &amqp.Message{Value: strings.ToUpper(request.Value.(string)),
			Properties: &amqp.MessageProperties{To: request.Properties.ReplyTo,
				CorrelationID: request.Properties.CorrelationID}}
		done = must(answers.SendWithReceipt(ctx, answer, nil))
		reply := receive(replies)
		must(done.Wait(ctx))
		same(reply.Value, "ASK "+id, "reply")
		same(reply.Properties.CorrelationID, any(id), "correlation")
	}
}

func anonymous() {
	_, session := session()
	in := []*amqp.Receiver{receiver(session, options.address+"/0", 1),
		receiver(session, options.address+"/1", 1)}
	out := sender(session, "")
	for i, receiver := range in {
		to := options.address + "/" + strconv.Itoa(i)
		done := must(out.SendWithReceipt(ctx, &amqp.Message{Value: to,
			Properties: &amqp.MessageProperties{To: &to}}, nil))
		same(receive(receiver).Value, to, "body")
		same(must(done.Wait(ctx)), &amqp.StateAccepted{}, "outcome")
	}
}

func body() {
	_, session := session()
	in, out := receiver(session, options.address, 1), sender(session, options.address)
	wanted := pattern(options.size)
	sent := make(chan error, 1)
	go func() { sent <- out.Send(ctx, amqp.NewMessage(wanted), nil) }()
	if !bytes.Equal(receive(in).GetData(), wanted) {
		fail("bodies differ")
	}
	mustDo(<-sent)
}

func drain() {
	_, session := session()
	in := receiver(session, options.address, -1)
	mustDo(in.IssueCredit(10))
	out := sender(session, options.address)
	pass := func(first, last int) {
		for i := first; i <= last; i++ {
			done := must(out.SendWithReceipt(ctx, text(strconv.Itoa(i)), nil))
			same(receive(in).Value, strconv.Itoa(i), "body")
			must(done.Wait(ctx))
		}
	}
	pass(0, 2)
	mustDo(in.DrainCredit(ctx, nil))
	mustDo(in.IssueCredit(2))
	pass(3, 4)
}

func links() {
	_, session := session()
	var in []*amqp.Receiver
	var out []*amqp.Sender
	for i := range 150 {
		address := options.address + "/" + strconv.Itoa(i)
		in = append(in, receiver(session, address, 1))
		out = append(out, sender(session, address))
	}
	for i := range in {
		done := must(out[i].SendWithReceipt(ctx, text(in[i].Address()), nil))
		same(receive(in[i]).Value, in[i].Address(), "body")
		same(must(done.Wait(ctx)), &amqp.StateAccepted{}, "outcome")
	}
}

func multicast() {
	_, session := session()
	var in []*amqp.Receiver
	for range 3 {
		in = append(in, receiver(session, options.address, 10))
	}
	out := sender(session, options.address)
	for i := range 10 {
		done := must(out.SendWithReceipt(ctx, text(strconv.Itoa(i)), nil))
		for _, receiver := range in {
			same(receive(receiver).Value, strconv.Itoa(i), "copy")
		}
		same(must(done.Wait(ctx)), &amqp.StateAccepted{}, "outcome")
	}
}

func balanced() {
	_, session := session()
	type share struct{ which, number int }
	got := make(chan share, 200)
	for which := range 2 {
		in := receiver(session, options.address, 100)
		go func() {
			for {
				message, err := in.Receive(ctx, nil)
				if err != nil || in.AcceptMessage(ctx, message) != nil {
					return
				}
				number, _ := strconv.Atoi(message.Value.(string))
				got <- share{which, number}
			}
		}()
	}
	out := sender(session, options.address)
	for i := range 100 {
		must(out.SendWithReceipt(ctx, text(strconv.Itoa(i)), nil))
	}
	seen, shares := map[int]bool{}, [2]int{}
	for len(seen) < 100 {
		select {
		case one := <-got:
			if seen[one.number] {
				fail("%d twice", one.number)
			}
			seen[one.number] = true
			shares[one.which]++
		case <-ctx.Done():
			fail("only %d messages", len(seen))
		}
	}
	if shares[0] == 0 || shares[1] == 0 {
		fail("one got nothing")
	}
}

// wholeMessage has every section but the body.
func wholeMessage() *amqp.Message {
	subject, reply, kind, group, sequence := "all", "back", "x/y", "g", uint32(3)
	return &amqp.Message{
		Header:      &amqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute},
		Annotations: amqp.Annotations{"x-opt-a": "b"},
		Properties: &amqp.MessageProperties{MessageID: "an id", UserID: []byte("me"),
			Subject: &subject, ReplyTo: &reply, CorrelationID: uint64(42), ContentType: &kind,
			GroupID: &group, GroupSequence: &sequence},
		ApplicationProperties: map[string]any{"text": "ü", "number": int32(7), "yes": true,
			"real": 0.5, "none": nil},
		Footer: amqp.Annotations{"x-opt-sum": "f"},
	}
}

func kinds() {
	_, session := session()
	in, out := receiver(session, options.address, 10), sender(session, options.address)
	bodies := []func(*amqp.Message){
		func(message *amqp.Message) { message.Data = [][]byte{{0, 1, 255}, {2}} },
		func(message *amqp.Message) {
			message.Value = map[string]any{"a": []any{int64(1), nil, true, 2.5, "ü"}}
		},
		func(message *amqp.Message) {
			message.Sequence = [][]any{{int64(1), "two", nil}, {uint64(3)}}
		},
		func(message *amqp.Message) { message.Value = amqp.Null{} },
	}
	for _, fill := range bodies {
		wanted := wholeMessage()
		fill(wanted)
		done := must(out.SendWithReceipt(ctx, wanted, nil))
		got := receive(in)
		must(done.Wait(ctx))
		same(got.Header, wanted.Header, "header")
		same(fmt.Sprint(got.Annotations), fmt.Sprint(wanted.Annotations), "annotations")
		same(got.Properties, wanted.Properties, "properties")
		same(got.ApplicationProperties, wanted.ApplicationProperties, "application properties")
		same(got.Data, wanted.Data, "data")
		same(got.Sequence, wanted.Sequence, "sequence")
		if wanted.Value == (amqp.Null{}) {
			wanted.Value = nil // as it is read back
		}
		same(fmt.Sprint(got.Value), fmt.Sprint(wanted.Value), "value")
		same(fmt.Sprint(got.Footer), fmt.Sprint(wanted.Footer), "footer")
	}
}

// unavailable: the link is answered and detached at once, which go-amqp tells by the attach or by
// the first use of the link.
func unavailable() {
	_, session := session()
	out, err := session.NewSender(ctx, options.address, nil)
	if err == nil {
		err = out.Send(ctx, text("x"), nil)
	}
	fmt.Println("sender", err)
	in, err := session.NewReceiver(ctx, options.address, nil)
	if err == nil {
		_, err = in.Receive(ctx, nil)
	}
	fmt.Println("receiver", err)
}

func tooLarge() {
	_, session := session()
	receiver(session, options.address, 1)
	out := sender(session, options.address)
	fmt.Println(out.Send(ctx, amqp.NewMessage(pattern(options.size)), nil))
}

func run(behaviour string) (problem string) {
	defer func() {
		if caught := recover(); caught != nil {
			known, is := caught.(failure)
			if !is {
				panic(caught)
			}
			problem = known.text
		}
	}()
	todo, known := behaviours[behaviour]
	if !known {
		return "no behaviour " + behaviour
	}
	todo()
	return ""
}

func main() {
	words := flag.NewFlagSet("client", flag.ExitOnError)
	for name, value := range map[string]*string{"url": &options.url, "address": &options.address,
		"user": &options.user, "password-file": &options.passwordFile,
		"mechanism": &options.mechanism, "ca": &options.ca, "cert": &options.cert,
		"key": &options.key} {
		words.StringVar(value, name, "", "")
	}
	words.IntVar(&options.size, "size", 0, "")
	words.Parse(os.Args[2:])
	limited, cancel := context.WithTimeout(context.Background(), 110*time.Second)
	defer cancel()
	ctx = limited
	if problem := run(os.Args[1]); problem != "" {
		fmt.Fprintln(os.Stderr, problem)
		os.Exit(1)
	}
}
