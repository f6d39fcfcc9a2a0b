package main

import "context"

func (s *site) startStandIns(ctx context.Context) error { return nil }
func (s *site) startScene(ctx context.Context) error    { return nil }
