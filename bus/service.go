package bus

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"
)

// Service makes a component visible to `nats micro ls`, `info` and `stats` and
// answers its control verbs under ctl.<component>.<verb>. A connection has one.
type Service struct {
	b         *Bus
	svc       micro.Service
	component string
}

// ServiceInfo says who a Service is.
type ServiceInfo struct {
	Component   string
	Instance    string
	Version     string // semantic version; anything else is shown as 0.0.0
	Description string
	// Status gives the details of a Status answer; nil gives none. It must be quick.
	Status func(context.Context) (ready bool, details any)
}

// NewService registers the component. Every instance answers a status request, so
// that one question reaches all of them.
func NewService(b *Bus, info ServiceInfo) (*Service, error) {
	version := strings.TrimPrefix(info.Version, "v")
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(version) {
		version = "0.0.0"
	}
	svc, err := micro.AddService(b.nc, micro.Config{
		Name: info.Component, Version: version, Description: info.Description,
		Metadata: map[string]string{"instance": info.Instance, "version": info.Version},
		// The connection's own handlers stay in place: this one only keeps the service
		// from stopping itself silently.
		ErrorHandler: func(_ micro.Service, e *micro.NATSError) { b.asyncError(nil, e) },
	})
	if err != nil {
		return nil, AsError(err)
	}
	s := &Service{b: b, svc: svc, component: info.Component}
	since := time.Now().UTC()
	err = s.add("status", "How this instance is", everyInstance(), func(ctx context.Context, _ *nats.Msg) ([]byte, error) {
		st := Status{V: 1, Component: info.Component, Instance: info.Instance, Version: info.Version, Since: since}
		if info.Status != nil {
			st.Ready, st.Details = info.Status(ctx)
		}
		return json.Marshal(st)
	})
	if err != nil {
		_ = svc.Stop() // the error of adding is the one to tell
		return nil, err
	}
	return s, nil
}

// VerbRequest is what an operator sends to a control verb, all of it optional.
type VerbRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	Target string `json:"target"`
}

// Verb answers ctl.<component>.<name> on every instance and records each use, with
// who asked, why and the outcome, in COMMANDS.
func (s *Service) Verb(name, does string, h func(context.Context, VerbRequest) (any, error)) error {
	record, err := CommandSubject(s.component, name)
	if err != nil {
		return err
	}
	return s.add(name, does, everyInstance(), func(ctx context.Context, m *nats.Msg) ([]byte, error) {
		var req VerbRequest
		answer, err := guard(ctx, s.b, m, func(ctx context.Context, q VerbRequest) (any, error) {
			req = q
			return h(ctx, q)
		})
		s.record(ctx, record, name, req.Actor, req.Reason, err)
		return answer, err
	})
}

// record keeps the use of a verb in COMMANDS.
func (s *Service) record(ctx context.Context, to Subject[Command], verb, actor, reason string, err error) {
	c := Command{V: 1, ID: nuid.Next(), Component: s.component, Verb: verb, Actor: actor, Reason: reason, Outcome: "done", At: time.Now().UTC()}
	if err != nil {
		c.Outcome = "failed: " + AsError(err).Error()
	}
	if _, perr := Publish(ctx, s.b, to, c, WithID(c.ID)); perr != nil {
		s.b.log.Warn("a command was carried out and not recorded", "subject", join(rootControl, s.component, verb), "err", perr)
	}
}

// Answer answers a call of the component on whichever instance the server picks. With who, each use is recorded in
// COMMANDS with who asked, why and the outcome; a nil who is for calls that only read.
func Answer[Q, R any](s *Service, c Call[Q, R], does string, who func(Q) (actor, reason string), h func(context.Context, Q) (R, error)) error {
	name := c.name[strings.LastIndexByte(c.name, '.')+1:]
	record, err := CommandSubject(s.component, name)
	if err != nil {
		return err
	}
	return s.add(name, does, micro.WithEndpointMetadata(nil), func(ctx context.Context, m *nats.Msg) ([]byte, error) {
		var req Q
		answer, err := guard(ctx, s.b, m, func(ctx context.Context, q Q) (R, error) {
			req = q
			return h(ctx, q)
		})
		if who != nil {
			actor, reason := who(req)
			s.record(ctx, record, name, actor, reason, err)
		}
		return answer, err
	})
}

// everyInstance lets each instance answer a question instead of one of them.
func everyInstance() micro.EndpointOpt { return micro.WithEndpointQueueGroupDisabled() }

func (s *Service) add(name, does string, whose micro.EndpointOpt, h func(context.Context, *nats.Msg) ([]byte, error)) error {
	subject := join(rootControl, s.component, name)
	slots := make(chan struct{}, maxServing)
	err := s.svc.AddEndpoint(name, micro.HandlerFunc(func(r micro.Request) {
		select {
		case slots <- struct{}{}:
		default:
			s.respond(r, subject, nil, errBusy())
			return
		}
		// micro calls on the subscription's goroutine; a slow verb must not hold the next.
		go func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
			defer cancel()
			answer, err := h(ctx, &nats.Msg{Subject: subject, Data: r.Data()})
			s.respond(r, subject, answer, err)
		}()
	}), whose, micro.WithEndpointSubject(subject),
		micro.WithEndpointMetadata(map[string]string{"does": does}))
	if err != nil {
		return AsError(err)
	}
	// The server must know of it before anybody is told that we serve.
	return s.b.nc.FlushTimeout(callTimeout)
}

func (s *Service) respond(r micro.Request, subject string, answer []byte, err error) {
	if err != nil {
		e := AsError(err)
		err = r.Error(string(e.Code), errorHeader(e).Get(micro.ErrorHeader), nil, micro.WithHeaders(micro.Headers(errorHeader(e))))
	} else {
		err = r.Respond(answer)
	}
	if err != nil {
		s.b.log.Debug("an answer could not be sent", "subject", subject, "err", err)
	}
}

// Stop ends the service: it takes no more requests. Those under way are answered as long as
// the connection stands; nothing waits for them.
func (s *Service) Stop() error { return s.svc.Stop() }
